/**
 * What the task SQL must not lose, as text that can be taken out of a copy of the tree.
 *
 * GUARDS: each is missed by an ordinary test when it is gone. SEEDED_BUGS: mistakes of the four kinds that a system of
 * leases dies of; each is found by the model tests alone, without a test that knows of it.
 */
import { join } from "node:path";

export interface Guard {
  name: string;
  file: string;
  /** Where it stands; in several places that cover for each other, it is taken out of all. */
  text: string | RegExp;
  /** What stands there without it. */
  without: string;
}
export interface SeededBug extends Guard {
  kind: "fence" | "trust" | "grace" | "outbox" | "log" | "tree";
  /** Made in every run of the tests (`db/tasks/seeded_bugs.test.ts`), not only by `deno task guards`. */
  always?: true;
}

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

const HELD = "t.state in ('leased', 'running', 'cancelling')";

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
    text: /t\.agent_id = r\.agent(_id)? and /g,
    without: "",
  },
  {
    name: "an acceptance needs the live fence",
    file: "db/tasks/accept_tasks.ts",
    text: "t.fence = r.fence and t.agent_id = r.agent_id and t.state = 'leased'",
    without: "t.agent_id = r.agent_id and t.state = 'leased'",
  },
  {
    name: "an acceptance needs the lease's holder",
    file: "db/tasks/accept_tasks.ts",
    text: "t.agent_id = r.agent_id and t.state = 'leased'",
    without: "t.state = 'leased'",
  },
  {
    name: "a renewal needs the live fence",
    file: "db/tasks/accept_tasks.ts",
    text: `t.fence = r.fence and t.agent_id = r.agent_id and ${HELD}`,
    without: `t.agent_id = r.agent_id and ${HELD}`,
  },
  {
    name: "a renewal needs the lease's holder",
    file: "db/tasks/accept_tasks.ts",
    text: `t.agent_id = r.agent_id and ${HELD}`,
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
    file: "db/deployments/start_deployment.ts",
    text: "if (taken.length === apps.length) return null;",
    without: "return null;",
  },
  {
    name: "a wait ends when it is due",
    file: "db/tasks/end_pauses.ts",
    text: "type = 'pause' and run_after <= boreas_now()",
    without: "type = 'pause'",
  },
  {
    name: "a log chunk needs the lease's holder",
    file: "db/logs/append_chunks.ts",
    text: " && head.agentId === chunk.agentId",
    without: "",
  },
];

export const SEEDED_BUGS: SeededBug[] = [
  {
    kind: "fence",
    name: "an acceptance under an old fence counts",
    file: "db/tasks/accept_tasks.ts",
    text: "t.fence = r.fence and t.agent_id = r.agent_id and t.state = 'leased'",
    without: "t.agent_id = r.agent_id and t.state = 'leased'",
    always: true,
  },
  {
    kind: "fence",
    name: "a renewal under an old fence counts",
    file: "db/tasks/accept_tasks.ts",
    text: `t.fence = r.fence and t.agent_id = r.agent_id and ${HELD}`,
    without: `t.agent_id = r.agent_id and ${HELD}`,
    always: true,
  },
  {
    kind: "fence",
    name: "a result under an old fence counts",
    file: "db/tasks/finish_tasks.ts",
    text: /t\.fence = r\.fence and /g,
    without: "",
    always: true,
  },
  {
    kind: "fence",
    name: "a log under an old fence is stored",
    file: "db/logs/append_chunks.ts",
    text: "head.fence === chunk.fence && ",
    without: "",
    always: true,
  },
  {
    kind: "fence",
    name: "a claim keeps the fence",
    file: "db/tasks/claim_tasks.ts",
    text: "fence = t.fence + 1",
    without: "fence = t.fence",
  },
  {
    kind: "fence",
    name: "a result counts, whoever gives it",
    file: "db/tasks/finish_tasks.ts",
    text: /t\.agent_id = r\.agent(_id)? and /g,
    without: "",
  },
  {
    kind: "trust",
    name: "the reaper ends leases early",
    file: "db/tasks/reap_tasks.ts",
    text: "lease_expires_at < boreas_now()",
    without: "lease_expires_at < boreas_now() + interval '3 seconds'",
    always: true,
  },
  {
    kind: "trust",
    name: "the reaper ends a lease at its last instant",
    file: "db/tasks/reap_tasks.ts",
    text: "lease_expires_at < boreas_now()",
    without: "lease_expires_at <= boreas_now()",
  },
  {
    kind: "trust",
    name: "a claim hands out what somebody holds",
    file: "db/tasks/claim_tasks.ts",
    text: "t.state = 'pending'",
    without: "t.state in ('pending', 'leased')",
    always: true,
  },
  {
    kind: "trust",
    name: "a renewal does not move the end of the lease",
    file: "db/tasks/accept_tasks.ts",
    text: "set lease_expires_at = boreas_now() + make_interval",
    without: "set lease_expires_at = coalesce(t.lease_expires_at, boreas_now()) + 0 * make_interval",
    always: true,
  },
  {
    kind: "trust",
    name: "what an agent still holds when it comes back is not renewed",
    file: "db/agents/connect_agent.ts",
    text: "set lease_expires_at = boreas_now() + make_interval",
    without: "set lease_expires_at = lease_expires_at + 0 * make_interval",
  },
  {
    kind: "trust",
    name: "what an agent has forgotten stays its own",
    file: "db/agents/connect_agent.ts",
    text: "isHeld(t.state) && !confirmed.has(t.id) && held",
    without: "false && held",
  },
  {
    kind: "trust",
    name: "a connection that is over is served",
    file: "db/tasks/claim_tasks.ts",
    text: "and a.session_id = w.session_id",
    without: "",
  },
  {
    kind: "grace",
    name: "there is no grace after a gap",
    file: "db/tasks/reap_tasks.ts",
    text: "if (await isGrace(db, options)) return 0;",
    without: "await isGrace(db, options);",
    always: true,
  },
  {
    kind: "grace",
    name: "only the first sweep ever begins a grace",
    file: "db/tasks/reap_tasks.ts",
    text: "when setting.updated_at < boreas_now() - make_interval(secs => ${options.leaseSeconds})",
    without: "when false",
  },
  {
    kind: "grace",
    name: "a sweep is not noted",
    file: "db/tasks/reap_tasks.ts",
    text: "do update set updated_at = boreas_now(), value",
    without: "do update set value",
  },
  {
    kind: "outbox",
    name: "a repeated result of an ended attempt is taken again",
    file: "db/tasks/finish_tasks.ts",
    text: /t\.agent_id = (r\.agent(?:_id)?) and t\.state in \('leased', 'running', 'cancelling'\)/g,
    without: "t.last_agent_id = $1 and t.state <> 'pending'",
    always: true,
  },
  {
    kind: "outbox",
    name: "a result that was taken is not asked for again",
    file: "db/agents/connect_agent.ts",
    text: `resume.state === "finished" && mine ?`,
    without: `resume.state === "finished" && holds ?`,
    always: true,
  },
  {
    kind: "outbox",
    name: "a finished attempt is told to go on",
    file: "db/agents/connect_agent.ts",
    text: `resume.state === "finished" && mine ? "send_result" :`,
    without: "",
  },
  {
    kind: "log",
    name: "a log may have a gap",
    file: "db/logs/append_chunks.ts",
    text: "chunk.sequence !== head.nextSequence || chunk.offset !== head.bytes",
    without: "chunk.sequence < head.nextSequence",
  },
  {
    kind: "log",
    name: "a log is stored, whoever sends it",
    file: "db/logs/append_chunks.ts",
    text: " && head.agentId === chunk.agentId",
    without: "",
  },
];
