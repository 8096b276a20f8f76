/** What is measured within the scheduler's process, where the insert, its hint and the acceptance share one clock. */
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget } from "../../db/client.ts";
import type { MasterParts } from "./master_parts.ts";
import { percentile } from "./statistics.ts";
import { addHistory, createTaskGraph } from "./task_graph.ts";
import type { TaskGraph } from "./task_graph.ts";

/** Made while no agent is connected, so that nobody takes the pattern. */
export async function prepareGraph(parts: MasterParts): Promise<void> {
  parts.graph = await createTaskGraph(parts.deps, parts.world);
}

function present({ graph }: MasterParts): TaskGraph {
  if (!graph) throw new Error("prepare it before the agents connect");
  return graph;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** A bench that waits for longer than this has found a fault, not a number. */
const PATIENCE_MS = 300_000;

export interface Pace {
  perSecond: number;
  seconds: number;
}
export interface Latency {
  p50: number;
  p99: number;
  count: number;
}

/** One task at a time at an even pace: from the commit of its insert until its result is accepted in the database. */
export async function measureLatency(parts: MasterParts, { perSecond, seconds }: Pace): Promise<Latency> {
  const graph = present(parts);
  const count = perSecond * seconds;
  const committed = new Map<string, number>();
  const accepted = new Map<string, number>();
  parts.onAccepted((taskId, at) => void accepted.set(taskId, at));
  const start = performance.now();
  for (let n = 0; n < count; n++) {
    const wait = start + n * 1000 / perSecond - performance.now();
    if (wait > 0) await pause(wait);
    const id = await graph.addReady();
    committed.set(id, performance.now());
  }
  await until(() => accepted.size >= count, "every result accepted");
  parts.onAccepted(undefined);
  // What the insert's own return trip overlaps with counts as nothing.
  const waits = [...committed].map(([id, at]) => Math.max(0, accepted.get(id)! - at));
  return { p50: percentile(waits, 50), p99: percentile(waits, 99), count };
}

/** Each task waits for the one before it. A hop is from one end to the next, by the database's clock. */
export async function measureChain(parts: MasterParts, { length }: { length: number }) {
  const { sql } = parts.deps.db;
  const graph = present(parts);
  const ids = await graph.add(Array.from({ length }, (_, n) => ({ dependsOn: n === 0 ? [] : [n - 1] })));
  await graph.open();
  await untilDone(parts, ids.at(-1)!);
  const rows = await sql<{ at: number }[]>`
    select extract(epoch from completed_at)::float8 * 1000 as at from task where id = any(${ids}::uuid[]) order by position`;
  const hops = rows.slice(1).map((row, n) => row.at - rows[n]!.at);
  return { p50: percentile(hops, 50), p99: percentile(hops, 99), seconds: (rows.at(-1)!.at - rows[0]!.at) / 1000 };
}

/** Many tasks at once, and one that waits for all of them. */
export async function measureFanOut(parts: MasterParts, { width }: { width: number }) {
  const { sql } = parts.deps.db;
  const graph = present(parts);
  const all = Array.from({ length: width }, (_, n) => n);
  const ids = await graph.add([...all.map(() => ({ dependsOn: [] })), { dependsOn: all }]);
  const [{ at }] = await sql<[{ at: string }]>`select boreas_now()::text as at`;
  await graph.open();
  await untilDone(parts, ids.at(-1)!);
  const [row] = await sql<{ seconds: number; join: number }[]>`
    select extract(epoch from completed_at - ${at}::timestamptz)::float8 as seconds,
      extract(epoch from completed_at - (select max(completed_at) from task where id = any(${
    ids.slice(0, -1)
  }::uuid[])))::float8 as join
    from task where id = ${ids.at(-1)!}`;
  return { seconds: row!.seconds, joinMs: row!.join * 1000 };
}

/** So much finished work beside what is to be done; then the statistics that autovacuum would have made by now. */
export async function prepareHistory(
  parts: MasterParts,
  { tasks, target }: { tasks: number; target: ConnectionTarget },
) {
  const graph = present(parts);
  // An index of millions of rows takes longer than any statement of the product may.
  const sql = openClient(target, { max: 1, silenceMs: null });
  await addHistory({ ...parts.deps.db, sql }, graph, tasks, (sentence) => console.error(sentence));
  await sql`vacuum analyze`;
  await sql.end();
}

async function untilDone({ deps: { db } }: MasterParts, taskId: string): Promise<void> {
  await until(async () => {
    const [row] = await db.sql<{ state: string }[]>`select state from task where id = ${taskId}`;
    if (["failed", "skipped", "cancelled"].includes(row!.state)) throw new Error(`the last task is ${row!.state}`);
    return row!.state === "success";
  }, "the last task's end");
}

async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!await isTrue()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await pause(25);
  }
}
