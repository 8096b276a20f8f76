/**
 * Batches of a modelled application, dealt out anew while it is being rolled out: what has begun stays, and the machines
 * whose turn has not come follow it in the same order, so many at once, with a wait between two batches where there was one.
 */
import { expect } from "vitest";
import { isOver } from "./tree_task.ts";
import type { TreeTask } from "./tree_task.ts";

export interface Dealt {
  /** Machines whose turn has not come, and the waits between them, in the order in which they come. */
  line: TreeTask[];
  /** Waits that are no more. */
  dropped: TreeTask[];
}
/** Of a wait that is made, until the database's id is known. */
const isMade = (t: TreeTask) => t.id.startsWith("wait ");

/**
 * @param parts of the whole, in their order
 * @param batch a count, or a share of the machines that take part
 * @returns undefined when nothing is left to deal out
 */
export function dealBatches(
  whole: TreeTask,
  parts: readonly TreeTask[],
  batch: number | string,
  hasWait: boolean,
): Dealt | undefined {
  const machines = parts.filter((t) => t.batch !== null);
  // Where a machine's turn was called off, the rest of it ends without a batch.
  if (machines.some((t) => isOver(t) && t.attempt === 0 && !t.leftOut)) return undefined;
  const begun = new Set(machines.filter((t) => t.state !== "blocked" && !t.leftOut).map((t) => t.batch));
  for (const task of machines) if (task.leftOut && !begun.has(task.batch)) task.batch = null;
  const taking = machines.filter((t) => t.batch !== null);
  const ahead = taking.filter((t) => !begun.has(t.batch));
  if (ahead.length === 0) return undefined;
  const kept = taking.filter((t) => begun.has(t.batch));
  const pauses = parts.filter((t) => t.type === "pause");
  const dropped = pauses.filter((t) => t.state === "blocked");
  const isWaited = hasWait && !pauses.some((t) => t.promoted);

  const lastKept = kept.filter((t) => t.batch === kept.at(-1)!.batch);
  const standing = pauses.find((t) => t.state !== "blocked" && t.position > (kept.at(-1)?.position ?? -1));
  const hooksBefore = parts.filter((t) => t.type === "hook" && t.position < taking[0]!.position);
  const first = hooksBefore.length > 0 ? [hooksBefore.at(-1)!.id] : whole.dependsOn;
  let behind = standing ? [standing.id] : kept.length > 0 ? lastKept.map((t) => t.id) : first;
  const size = typeof batch === "number" ? batch : Math.ceil(taking.length * parseFloat(batch) / 100);
  const line: TreeTask[] = [];
  let number = kept.at(-1)?.batch ?? 0;
  for (let at = 0; at < ahead.length; at += size) {
    if (isWaited && (at > 0 || (kept.length > 0 && !standing))) {
      const id = `wait ${whole.id} ${at}`;
      const isA = { type: "pause", isLeaf: false, isWatch: false, isRollback: false, arrives: false, needed: 1 };
      const counts = { position: 0, maxFailures: 0, maxAttempts: 1, attempt: 0, losses: 0 };
      line.push({
        ...{ id, name: "wait", parentId: whole.id, appId: whole.appId, target: null, machine: null, ...isA, ...counts },
        ...{ step: null, batch: null, state: "blocked", due: true, dependsOn: behind },
      });
      behind = [id];
    }
    const together = ahead.slice(at, at + size);
    number++;
    for (const task of together) line.push(Object.assign(task, { batch: number, dependsOn: behind }));
    behind = together.map((t) => t.id);
  }
  const last = taking.at(-1)!.position;
  // A hook behind the last batch, or the watch over them all.
  const next = parts.find((t) => t.position > last && t.batch === null && t.type !== "pause" && !t.leftOut);
  if (next && !isOver(next)) line.push(Object.assign(next, { dependsOn: behind }));
  return { line, dropped };
}

/** The database has made the same of it: who comes when, and behind whom. Made waits get the ids that they have there. */
export function expectDealt({ line }: Dealt, rows: readonly TreeTask[], isKnown: (id: string) => boolean): void {
  const ids = new Set(line.map((t) => t.id));
  const there = rows.filter((t) => t.parentId === line[0]!.parentId && (ids.has(t.id) || !isKnown(t.id)));
  expect(there.map((t) => ids.has(t.id) ? t.id : t.type), "the line is dealt anew")
    .toEqual(line.map((t) => isMade(t) ? "pause" : t.id));
  const called = new Map(line.map((t, at) => [t.id, there[at]!.id]));
  for (const [at, task] of line.entries()) {
    task.dependsOn = task.dependsOn.map((id) => called.get(id) ?? id);
    Object.assign(task, { id: called.get(task.id), name: there[at]!.name });
    expect([...there[at]!.dependsOn].sort(), `${task.name} comes behind`).toEqual([...task.dependsOn].sort());
    expect(there[at]!.batch, `batch of ${task.name}`).toBe(task.batch);
  }
  const places = rows.map((t) => t.position);
  expect(new Set(places).size, "each has a place of its own").toBe(places.length);
}
