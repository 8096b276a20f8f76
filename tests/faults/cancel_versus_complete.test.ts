/**
 * F31: a cancel, an agent's word, a lease that ends and the reading of cancels meet in every order that their statements
 * can take. Whoever comes first, there is one end, it is final, and everybody who was told something was told the same.
 */
import fc from "../helpers/fast_check.ts";
import { beforeAll, describe, expect, it } from "vitest";
import { getTask } from "../../db/tasks/read_tasks.ts";
import { acceptTasks, renewLeases } from "../../db/tasks/accept_tasks.ts";
import { cancelTask } from "../../db/tasks/cancel_task.ts";
import { finishTasks } from "../../db/tasks/finish_tasks.ts";
import { readCancels } from "../../db/tasks/read_cancels.ts";
import { reapTasks } from "../../db/tasks/reap_tasks.ts";
import { cancelDeployment } from "../../db/deployments/cancel_deployment.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import type { Actor, Database } from "../../db/database.ts";
import { createHints } from "../../db/hints.ts";
import { AppError } from "../../domain/app_error.ts";
import { isFinal, statusOf } from "../../domain/task_state.ts";
import type { TaskState } from "../../domain/task_state.ts";
import { planStages } from "../../domain/strategy.ts";
import { Outcome } from "../../protocol/operation.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";
import { seedWork } from "../helpers/seed_work.ts";
import { firstSeed } from "../helpers/seed.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { isThorough } from "./support/races.ts";
import { interleave } from "./support/statement_gates.ts";

const RUNS = isThorough() ? 1000 : 60;

let db: TestDatabase;
let work: ReturnType<typeof seedWork>;
let agentId: string;
let environmentId: string;
let versionId: string;
beforeAll(async () => {
  db = await createTestDatabase({ max: 10 });
  work = seedWork(db);
  agentId = await work.agent();
  environmentId = await work.environment();
  versionId = await work.version();
});

const Case = fc.record({
  state: fc.constantFrom("leased", "running"),
  cancel: fc.constantFrom("task", "deployment", "both"),
  outcome: fc.constantFrom("success", "failed", "cancelled"),
  /** The agent says it twice: after a lost answer it sends its result again. */
  twice: fc.boolean(),
  leaseOver: fc.boolean(),
  retries: fc.boolean(),
});
type Case = typeof Case extends fc.Arbitrary<infer T> ? T : never;

const actor: Actor = { userId: null, name: "tester", role: "admin", ip: null, projectId: DEFAULT_PROJECT };
const depsOf = (on: Database) => ({ db: on, hints: createHints(), planners: { mock: planStages } });
const word = (status: "success" | "failed" | "cancelled") => Outcome.parse({ status, message: `said ${status}` });

/** What the row, and what follows from it, says; compared before and after late messages. */
async function snapshot(taskId: string, deploymentId: string) {
  const [task] = await db.sql`select * from task where id = ${taskId}`;
  const [deployment] = await db.sql`select * from deployment where id = ${deploymentId}`;
  const events = await db.sql`select kind, subject_id from event where deployment_id = ${deploymentId} order by id`;
  return JSON.stringify({ task, deployment, events });
}

describe("a cancel that meets the end of its task", () => {
  it(
    `F31: ends it once, and says the same in database, API, audit and to the agent (${RUNS} interleavings)`,
    async () => {
      const ends = new Map<string, number>();
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), Case, async (s, given) => {
          const end = await play(s, given);
          ends.set(end, (ends.get(end) ?? 0) + 1);
        }),
        { numRuns: RUNS, seed: firstSeed(), endOnFailure: true },
      );
      // Neither side wins always: the orders that were played really differ. A few of them need not hold the rarest end.
      expect(ends.has("cancelled") && ends.size > 1, JSON.stringify([...ends])).toBe(true);
      if (RUNS >= 1000) expect([...ends.keys()].sort()).toEqual(["cancelled", "failed", "success"]);
    },
    600_000,
  );

  it("F31: is missed by an end that looks before it locks, and these interleavings show it", async () => {
    const careless: Finish = (on, [result]) => finishCarelessly(on, result!, result!.outcome.status);
    await expect(fc.assert(
      fc.asyncProperty(fc.scheduler(), Case, async (s, given) => void await play(s, given, careless)),
      { numRuns: 200, seed: 1, endOnFailure: true },
    )).rejects.toThrow(/Property failed/);
  });
});

/** What a verb must not do: look first, and write by the id alone what it saw. */
async function finishCarelessly(on: Database, lease: { taskId: string }, status: string): Promise<string[]> {
  return await on.sql.begin(async (tx) => {
    const [task] = await tx<{ state: TaskState }[]>`select state from task where id = ${lease.taskId}`;
    if (isFinal(task!.state)) return [];
    await tx`update task set state = ${status}, agent_id = null, lease_expires_at = null where id = ${lease.taskId}`;
    await tx`insert into event (project_id, topic, subject_id, deployment_id, kind, data)
      select project_id, 'task', id, deployment_id, 'task.' || state, '{}' from task where id = ${lease.taskId}`;
    return [lease.taskId];
  }) as string[];
}

type Finish = typeof finishTasks;

async function play(s: fc.Scheduler, given: Case, finishWith: Finish = finishTasks): Promise<TaskState> {
  const deployment = await work.deployment({ environmentId, versionId });
  const taskId = await work.task({
    deploymentId: deployment.id,
    environmentId,
    state: given.state as TaskState,
    agentId,
  });
  await db.sql`update task set last_agent_id = agent_id, max_attempts = ${given.retries ? 2 : 1},
    lease_expires_at = boreas_now() + make_interval(secs => ${given.leaseOver ? -1 : 30}) where id = ${taskId}`;
  const lease = { taskId, fence: 1, agentId };
  /** What the people and the agent were answered. */
  const answers: string[] = [];
  const asked = async (what: string, ask: () => Promise<void>) => {
    try {
      await ask();
      answers.push(`${what} taken`);
    } catch (error: unknown) {
      if (!(error instanceof AppError)) throw error;
      answers.push(`${what} refused: ${error.code}`);
    }
  };
  const finish = async (on: Database, status: "success" | "failed" | "cancelled") => {
    const taken = await finishWith(on, [{ ...lease, outcome: word(status) }], () => 0);
    if (taken.length > 0) answers.push(`${status} taken`);
  };

  await interleave(s, db, {
    agent: async (on) => {
      await acceptTasks(on, [lease]);
      await finish(on, given.outcome as "success");
      if (given.twice) await finish(on, given.outcome as "success");
    },
    ...(given.cancel !== "deployment"
      ? { person: (on) => asked("cancelTask", () => cancelTask(depsOf(on), taskId, actor)) }
      : {}),
    ...(given.cancel !== "task"
      ? { lead: (on) => asked("cancelDeployment", () => cancelDeployment(depsOf(on), deployment.id, actor)) }
      : {}),
    // The gateway tells the agent, and a connection that is late by then answers for the same lease.
    gateway: async (on) => {
      const wanted = (await readCancels(on, [agentId])).filter((c) => c.id === taskId);
      if (wanted.length > 0) await finish(on, "cancelled");
    },
    ...(given.leaseOver
      ? {
        reaper: async (on: Database) =>
          void await reapTasks(on, { leaseSeconds: 1e6, graceSeconds: 0, chance: () => 0 }),
      }
      : {}),
  });

  // Whoever still waits for a word gets it now: the agent stops what is to be stopped.
  if (!isFinal((await stateOf(taskId)) as TaskState)) {
    await finish(db, "cancelled");
    if (!isFinal((await stateOf(taskId)) as TaskState)) {
      await asked("cancelTask", () => cancelTask(depsOf(db), taskId, actor)); // it went back to wait for another attempt
    }
  }
  return await judge(taskId, deployment.id, lease, answers);
}

const stateOf = async (id: string) =>
  (await db.sql<{ state: string }[]>`select state from task where id = ${id}`)[0]!.state;

async function judge(
  taskId: string,
  deploymentId: string,
  lease: { taskId: string; fence: number; agentId: string },
  answers: string[],
): Promise<TaskState> {
  const state = await stateOf(taskId) as TaskState;
  const story = answers.join(", ");
  expect(isFinal(state), `${story}: ended ${state}`).toBe(true);

  // The API and the event stream say what the row says, and say it once.
  const shown = await getTask(db, DEFAULT_PROJECT, taskId);
  expect(shown!.status, story).toBe(statusOf(state));
  const kinds = (await db.sql<{ kind: string }[]>`select kind from event where subject_id = ${taskId} order by id`)
    .map((e) => e.kind);
  const final = kinds.filter((k) => ["task.success", "task.failed", "task.cancelled", "task.skipped"].includes(k));
  expect(final, story).toEqual([`task.${state}`]);
  expect(kinds.at(-1), `${story}: nothing is said of it after its end`).toBe(`task.${state}`);

  // Each act that was taken is in the audit once, and none that was refused.
  const audit = (await db.sql<{ action: string }[]>`select action from audit
    where target in (${`task:${taskId}`}, ${`deployment:${deploymentId}`}) order by action`).map((a) => a.action);
  const moves = (await db.sql<{ kind: string }[]>`select kind from event where subject_id = ${deploymentId}`)
    .map((e) => e.kind);
  // To cancel a deployment that was cancelled by then is no refusal, and no act.
  const didCancel = moves.includes("deployment.cancelling");
  const taken = answers.filter((a) => a === "cancelTask taken" || (a === "cancelDeployment taken" && didCancel))
    .map((a) => a.startsWith("cancelTask") ? "task.cancel" : "deployment.cancel");
  expect(audit, story).toEqual(taken.sort());

  // The agent's word was believed at most once, and what it was told is what became of the task.
  const believed = answers.filter((a) => /^(success|failed|cancelled) taken$/.test(a)).map((a) => a.split(" ")[0]);
  expect(believed.length, story).toBeLessThanOrEqual(2); // the second only after it went back for another attempt
  if (state === "success") expect(believed.at(-1), story).toBe("success");
  if (believed.at(-1) === "success") expect(state, story).toBe("success");
  if (taken.length > 0 && state === "failed") {
    // A failure that stands although somebody cancelled came first: then there was nothing left to cancel.
    expect(kinds, story).not.toContain("task.cancelling");
  }

  // The deployment moved with it, once.
  const [deployment] = await db.sql<{ status: string }[]>`select status from deployment where id = ${deploymentId}`;
  expect(["completed", "failed", "cancelled"], story).toContain(deployment!.status);
  if (state === "cancelled") expect(deployment!.status, story).toBe("cancelled");
  expectSound(await readHistory(db.sql, [deploymentId]));

  // Whatever comes late changes nothing.
  const before = await snapshot(taskId, deploymentId);
  expect(await finishTasks(db, [{ ...lease, outcome: word("success") }], () => 0), story).toEqual([]);
  expect(await acceptTasks(db, [lease]), story).toEqual([]);
  expect(await renewLeases(db, [lease], 30), story).toEqual([]);
  await cancelTask(depsOf(db), taskId, actor).catch((error: unknown) => expect(error).toBeInstanceOf(AppError));
  expect(await snapshot(taskId, deploymentId), story).toBe(before);
  return state;
}
