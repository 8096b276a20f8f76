/**
 * The plans of the hot statements as they really ran, by auto_explain: each verb is called as the scheduler calls it, and
 * the server's log is read for what was planned and what it touched.
 */
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget, Sql } from "../../db/client.ts";
import { createTaskStore } from "../../db/tasks/task_store.ts";
import { newId } from "../../host/new_id.ts";
import { Outcome } from "../../protocol/operation.ts";
import type { MasterParts } from "./master_parts.ts";

export interface VerbPlan {
  verb: string;
  /** The first words of the statement. */
  statement: string;
  milliseconds: number;
  /** Pages of 8 kB that were looked at. */
  buffers: number;
  /** Tables that were read from end to end. */
  scanned: string[];
  plan: string;
}

const BATCH = 100;

export async function explainVerbs(
  { deps, graph }: MasterParts,
  { target }: { target: ConnectionTarget },
): Promise<VerbPlan[]> {
  const sql = openClient(target, { max: 1, applicationName: "bench-plans" });
  try {
    await sql.unsafe(`load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_analyze = on;
      set auto_explain.log_buffers = on; set auto_explain.log_format = 'json'; set log_min_messages = 'log'`);
    const store = createTaskStore({ sql, newId });
    // Some that nobody waits for, and as many that each wait for one of them.
    await graph!.add([
      ...Array.from({ length: BATCH }, () => ({ dependsOn: [] })),
      ...Array.from({ length: BATCH }, (_, n) => ({ dependsOn: [n] })),
    ]);
    await graph!.open();
    const agents = await sql<{ id: string; name: string }[]>`select id, name from agent order by name`;
    const slots = agents.map(({ id, name }) => ({ agentId: id, agentName: name, free: BATCH }));
    const plans: VerbPlan[] = [];
    const watch = async <T>(verb: string, call: () => Promise<T>): Promise<T> => {
      const from = await logSize(sql);
      const answer = await call();
      plans.push(...await readPlans(sql, from, verb));
      return answer;
    };
    await store.readCancels(agents.map((a) => a.id)); // the first of a session plans everything anew
    const claimed = await watch("claim", () => store.claimTasks(slots, 30));
    const leases = claimed.map(({ id, fence, agentId }) => ({ taskId: id, fence, agentId }));
    await watch("accept", () => store.acceptTasks(leases));
    await watch("renew", () => store.renewLeases(leases, 30));
    const outcome = Outcome.parse({ status: "success", message: "Done." });
    await watch("finish", () => store.finishTasks(leases.map((lease) => ({ ...lease, outcome })), deps.chance));
    await watch("cancels", () => store.readCancels(agents.map((a) => a.id)));
    await watch("held", () => store.readHeld(agents.map((a) => a.id)));
    await watch("reap", () => store.reapTasks({ leaseSeconds: 30, graceSeconds: 0, chance: deps.chance }));
    await sql`update task set state = 'skipped', unmet = 0, completed_at = boreas_now()
      where deployment_id = ${graph!.deploymentId} and position < 0 and completed_at is null`;
    return plans;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function logSize(sql: Sql): Promise<number> {
  const [row] = await sql<{ size: number }[]>`select (pg_stat_file(pg_current_logfile())).size::float8 as size`;
  return row!.size;
}

interface Node {
  "Node Type": string;
  "Relation Name"?: string;
  "Actual Rows"?: number;
  "Shared Hit Blocks"?: number;
  "Shared Read Blocks"?: number;
  Plans?: Node[];
}

/** Written by the backend itself before it answered, so it is all there. Our own questions to the log are passed over. */
async function readPlans(sql: Sql, from: number, verb: string): Promise<VerbPlan[]> {
  const [row] = await sql<{ text: string }[]>`
    select pg_read_file(pg_current_logfile(), ${from}::bigint, 100000000) as text`;
  const plans: VerbPlan[] = [];
  for (const [, milliseconds, json] of row!.text.matchAll(/duration: ([\d.]+) ms {2}plan:\n((?:\t.*\n)+)/g)) {
    const { "Query Text": query, Plan: plan } = JSON.parse(json!) as { "Query Text": string; Plan: Node };
    // What a function of the server asked itself, and what we asked just now.
    if (/^\s*select coalesce\(nullif|pg_current_logfile/.test(query)) continue;
    plans.push({
      verb,
      statement: query.replace(/\s+/g, " ").trim().slice(0, 60),
      milliseconds: Number(milliseconds),
      buffers: (plan["Shared Hit Blocks"] ?? 0) + (plan["Shared Read Blocks"] ?? 0),
      scanned: [
        ...new Set(nodesOf(plan).flatMap((n) => n["Node Type"] === "Seq Scan" ? n["Relation Name"] ?? [] : [])),
      ],
      plan: toOutline(plan),
    });
  }
  return plans;
}

const nodesOf = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

function toOutline(node: Node, depth = 0): string {
  const { "Relation Name": table, "Index Name": index } = node as Node & { "Index Name"?: string };
  const pages = (node["Shared Hit Blocks"] ?? 0) + (node["Shared Read Blocks"] ?? 0);
  const what = [node["Node Type"], table && `on ${table}`, index && `by ${index}`].filter(Boolean).join(" ");
  const line = `${"  ".repeat(depth)}${what} (rows ${node["Actual Rows"] ?? 0}, pages ${pages})`;
  return [line, ...(node.Plans ?? []).map((child) => toOutline(child, depth + 1))].join("\n");
}
