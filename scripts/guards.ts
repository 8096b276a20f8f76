/** What the task SQL must not lose, as text that can be taken out of a copy of the tree: a test misses each. */
import { join } from "node:path";

export interface Guard {
  name: string;
  file: string;
  /** Where it stands; in several places that cover for each other, it is taken out of all. */
  text: string | RegExp;
  /** What stands there without it. */
  without: string;
  /** Who misses it, when it is not the tests of leases, arrivals, pauses and deployments. */
  tests?: string[];
}

const ON_BOTH_STORES = ["tests/simulation/sql_store.test.ts"];

/** Takes the guard out of the tree at `root`. @returns puts it back */
export async function takeOut(root: string, guard: Guard): Promise<() => Promise<void>> {
  const path = join(root, guard.file);
  const whole = await Deno.readTextFile(path);
  const without = whole.replaceAll(guard.text, guard.without);
  if (without === whole) {
    throw new Error(`${guard.name}: ${guard.file} does not hold ${guard.text}; say in this list where it stands now.`);
  }
  await Deno.writeTextFile(path, without);
  return () => Deno.writeTextFile(path, whole);
}

export const HELD = "t.state in ('leased', 'running', 'cancelling')";

export const GUARDS: Guard[] = [
  {
    name: "a result needs the live fence",
    file: "db/tasks/finish_tasks.ts",
    text: /t\.fence = r\.fence and /g,
    without: "",
  },
  {
    name: "a result needs the lease's holder",
    file: "db/tasks/finish_tasks.ts",
    text: /t\.agent_id is not distinct from r\.agent(_id)? and /g,
    without: "",
  },
  {
    name: "an acceptance needs the live fence",
    file: "db/tasks/accept_tasks.ts",
    text: "t.fence = r.fence and t.agent_id is not distinct from r.agent_id and t.state = 'leased'",
    without: "t.agent_id is not distinct from r.agent_id and t.state = 'leased'",
  },
  {
    name: "an acceptance needs the lease's holder",
    file: "db/tasks/accept_tasks.ts",
    text: "t.agent_id is not distinct from r.agent_id and t.state = 'leased'",
    without: "t.state = 'leased'",
  },
  {
    name: "a renewal needs the live fence",
    file: "db/tasks/accept_tasks.ts",
    text: `t.fence = r.fence and t.agent_id is not distinct from r.agent_id and ${HELD}`,
    without: `t.agent_id is not distinct from r.agent_id and ${HELD}`,
  },
  {
    name: "a renewal needs the lease's holder",
    file: "db/tasks/accept_tasks.ts",
    text: `t.agent_id is not distinct from r.agent_id and ${HELD}`,
    without: HELD,
  },
  {
    name: "a claim grows the fence",
    file: "db/tasks/claim_tasks.ts",
    text: "fence = t.fence + 1",
    without: "fence = t.fence",
  },
  {
    name: "a claim passes over held rows",
    file: "db/tasks/claim_tasks.ts",
    text: "for update of t skip locked) shared",
    without: "for update of t) shared",
  },
  {
    name: "a claim waits for its time",
    file: "db/tasks/claim_tasks.ts",
    text: "t.target_agent_id is null and t.run_after <= boreas_now()",
    without: "t.target_agent_id is null",
  },
  {
    name: "a claim keeps to the target",
    file: "db/tasks/claim_tasks.ts",
    text: "and t.target_agent_id is null and",
    without: "and",
  },
  {
    name: "a claim keeps to bound environments",
    file: "db/tasks/claim_tasks.ts",
    text: "e.agent_id = w.agent_id and ",
    without: "",
  },
  {
    name: "a claim is for the present connection",
    file: "db/tasks/claim_tasks.ts",
    text: "where w.session_id is null or exists",
    without: "where true or exists",
  },
  {
    name: "a claim needs an open task",
    file: "db/tasks/claim_tasks.ts",
    text: " and t.open",
    without: "",
  },
  {
    name: "a reaper looks again under the lock",
    file: "db/tasks/reap_tasks.ts",
    text: "t.lease_expires_at < boreas_now() order by t.id",
    without: "true order by t.id",
  },
  {
    name: "an older session's end is not the agent's",
    file: "db/agents/disconnect_agent.ts",
    text: "session_id = ${sessionId} and ",
    without: "",
  },
  {
    name: "a revoked agent stays out",
    file: "db/agents/connect_agent.ts",
    text: "and status <> 'revoked'",
    without: "",
  },
  {
    name: "a log chunk needs the live fence",
    file: "db/logs/append_chunks.ts",
    text: "head.fence === chunk.fence && ",
    without: "",
  },
  {
    name: "a log has no gap",
    file: "db/logs/append_chunks.ts",
    text: "chunk.sequence !== head.nextSequence || chunk.offset !== head.bytes",
    without: "false",
  },
  {
    name: "one running deployment per application and environment",
    file: "db/deployments/take_turns.ts",
    text: "if (taken.length === apps.length) return null;",
    without: "return null;",
  },
  {
    name: "a wait ends when it is due",
    file: "db/tasks/end_pauses.ts",
    text: / and (t\.)?run_after <= boreas_now\(\)/g,
    without: "",
  },
  {
    name: "a log chunk needs the lease's holder",
    file: "db/logs/append_chunks.ts",
    text: " && head.agentId === chunk.agentId",
    without: "",
  },
  {
    name: "a slow arrival takes back nothing that a newer one was given",
    file: "db/agents/connect_agent.ts",
    text: "known.arrivals !== arrival.seen",
    without: "false",
    tests: ON_BOTH_STORES,
  },
  {
    name: "a cancel wins over a failure",
    file: "db/tasks/finish_tasks.ts",
    text: 'if (task.state === "cancelling") return sayEnd',
    without: "if (false) return sayEnd",
    tests: ON_BOTH_STORES,
  },
  {
    name: "what somebody wants stopped is not tried again",
    file: "db/tasks/finish_tasks.ts",
    text: 'outcome.status !== "failed" || task.state === "cancelling"',
    without: 'outcome.status !== "failed"',
    tests: ON_BOTH_STORES,
  },
  {
    name: "a task that its agents die with ends",
    file: "db/tasks/lose_tasks.ts",
    text: "(task: LostTask) => task.losses + 1 >= MAX_LOSSES",
    without: "(_: LostTask) => false",
  },
  {
    name: "a wait that is over does not end again",
    file: "db/tasks/end_pauses.ts",
    text: / and t\.state = 'pending' and t\.open( and t\.run_after <= boreas_now\(\))?(?=\s+returning)/g,
    without: "",
  },
  {
    name: "a measurement needs the live claim",
    file: "db/gates/record_measurement.ts",
    text: "and fence = ${claimed.fence} and",
    without: "and",
    tests: ["scheduler/gate_loop.test.ts"],
  },
  {
    name: "a measurement needs a gate that still waits",
    file: "db/gates/record_measurement.ts",
    text: "and state = 'pending' and open for update",
    without: "for update",
    tests: ["db/gates/record_measurement.test.ts"],
  },
  {
    name: "one that came later passes nobody who waits",
    file: "db/deployments/take_turns.ts",
    text: "if (inLine) return inLine.id;",
    without: "",
    tests: ["db/deployments/turns.test.ts"],
  },
];
