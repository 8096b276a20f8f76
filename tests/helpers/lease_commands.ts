/**
 * Every act that concerns a lease, as a command for fast-check: done to the model (`lease_model.ts`) and to the verbs on
 * real PostgreSQL, answers compared at once and everything that can be seen after it. The database's clock stands still
 * (`boreas.now`) and moves only by command, so the model knows every instant to the millisecond.
 */
import fc from "./fast_check.ts";
import { expect } from "vitest";
import { AppError } from "../../domain/app_error.ts";
import { Outcome } from "../../protocol/operation.ts";
import { connectAgent } from "../../db/agents/connect_agent.ts";
import { disconnectAgent } from "../../db/agents/disconnect_agent.ts";
import { appendChunks } from "../../db/logs/append_chunks.ts";
import { acceptTasks, renewLeases } from "../../db/tasks/accept_tasks.ts";
import { cancelTask } from "../../db/tasks/cancel_task.ts";
import { claimTasks } from "../../db/tasks/claim_tasks.ts";
import { finishTasks } from "../../db/tasks/finish_tasks.ts";
import { reapTasks } from "../../db/tasks/reap_tasks.ts";
import { retryTask } from "../../db/tasks/retry_task.ts";
import { LeaseModel } from "./lease_model.ts";
import type { Lease, Resume, Task, Word } from "./lease_model.ts";
import { seedWork } from "./seed_work.ts";
import { seedWorld } from "./seed_release.ts";
import type { World } from "./seed_release.ts";
import { replayPath } from "./model_runs.ts";
import type { ModelRuns } from "./model_runs.ts";
import type { TestDatabase } from "./test_database.ts";

export const leaseVerbs = {
  acceptTasks,
  appendChunks,
  cancelTask,
  claimTasks,
  connectAgent,
  disconnectAgent,
  finishTasks,
  reapTasks,
  renewLeases,
  retryTask,
};
export type LeaseVerbs = typeof leaseVerbs;

/** The same verbs of another copy of `db/`, to see whether the model notices what was changed in it. */
export async function loadLeaseVerbs(db: string): Promise<LeaseVerbs> {
  const files = ["agents/connect_agent", "agents/disconnect_agent", "logs/append_chunks", "tasks/accept_tasks"];
  files.push("tasks/cancel_task", "tasks/claim_tasks", "tasks/finish_tasks", "tasks/reap_tasks", "tasks/retry_task");
  const modules = await Promise.all(files.map((file) => import(/* @vite-ignore */ `${db}/${file}.ts`)));
  return Object.assign({}, ...modules) as LeaseVerbs;
}

const LEASE = 10_000;
const GRACE = 15_000;
const EPOCH = Date.parse("2030-01-01T00:00:00Z");
const chance = () => 0;

/** The verbs, on a small world of two agents and three tasks that wait for nothing, each of a deployment of its own. */
interface Real {
  db: TestDatabase;
  verbs: LeaseVerbs;
  world: World;
  agents: string[];
  tasks: string[];
  /** Every session an agent ever had. */
  sessions: Map<string, string[]>;
}
type Command = fc.AsyncCommand<LeaseModel, Real>;

/** @param db with one connection: its clock is set for the session */
export async function checkLeaseModel(db: TestDatabase, verbs: LeaseVerbs, runs: ModelRuns) {
  const commands = fc.commands(leaseCommands, { maxCommands: 80, size: "max", ...replayPath() });
  await fc.assert(
    fc.asyncProperty(commands, (list) => fc.asyncModelRun(() => setUp(db, verbs), list)),
    runs,
  );
}

async function setUp(db: TestDatabase, verbs: LeaseVerbs): Promise<{ model: LeaseModel; real: Real }> {
  const { sql } = db;
  await setClock(db, EPOCH);
  await sql`delete from deployment`;
  await sql`delete from setting where key = 'sweep'`;
  const seed = seedWork(db);
  const suffix = db.newId().slice(-8);
  const world = await seedWorld(db, { applications: {} });
  const { environmentId } = world;
  const versionId = await seed.version(`v-${suffix}`);
  const agents = [await world.agent(`one-${suffix}`), await world.agent(`two-${suffix}`)];
  const real: Real = { db, verbs, world, agents, tasks: [], sessions: new Map(agents.map((a) => [a, []])) };
  const model = new LeaseModel(EPOCH, LEASE, GRACE);
  for (const [target, maxAttempts] of [[null, 1], [null, 2], [agents[1]!, 3]] as const) {
    const { id: deploymentId } = await seed.deployment({ versionId, environmentId });
    const id = await seed.task({ deploymentId, environmentId });
    await sql`update task set target_agent_id = ${target}, max_attempts = ${maxAttempts} where id = ${id}`;
    real.tasks.push(id);
    const fresh = { state: "pending" as const, attempt: 0, fence: 0, losses: 0, chunks: [], events: 0 };
    const free = { holder: null, lastHolder: null, leaseEnd: null };
    model.tasks.set(id, { ...fresh, ...free, target, maxAttempts, dueAt: EPOCH });
  }
  for (const agent of agents) await arrive(model, real, agent, []);
  return { model, real };
}

const setClock = (db: TestDatabase, now: number) =>
  db.sql`select set_config('boreas.now', ${new Date(now).toISOString()}, false)`;

/** Everything that can be seen, once as the model has it and once as the database has it. */
async function compare(model: LeaseModel, { db: { sql } }: Real): Promise<void> {
  const rows = await sql<(Omit<Task, "chunks"> & { id: string; log: string; bytes: number; deployment: string })[]>`
    select t.id, t.state, t.target_agent_id as target, t.attempt, t.fence, t.losses, t.max_attempts, t.agent_id as holder,
      t.last_agent_id as last_holder, (extract(epoch from t.lease_expires_at) * 1000)::float8 as lease_end,
      (extract(epoch from t.run_after) * 1000)::float8 as due_at, d.status as deployment, coalesce(h.bytes, 0) as bytes,
      coalesce((select string_agg(convert_from(c.data, 'utf8'), '' order by c.sequence) from log_chunk c
        where c.task_id = t.id and c.attempt = t.attempt), '') as log,
      (select count(*)::int from event e where e.subject_id = t.id) as events
    from task t join deployment d on d.id = t.deployment_id left join log_head h on h.task_id = t.id and h.attempt = t.attempt
    order by t.id`;
  const over = { success: "completed", failed: "failed", cancelled: "cancelled" } as Record<string, string>;
  const told = [...model.tasks].map(([id, { chunks, dueAt, ...task }]) => {
    const log = chunks.join("");
    return {
      id,
      ...task,
      log,
      bytes: log.length,
      deployment: over[task.state] ?? "running",
      ...due(task.state, dueAt),
    };
  });
  const seen = rows.map(({ dueAt, ...row }) => ({ ...row, ...due(row.state, dueAt) }));
  expect(seen).toEqual(told.sort((a, b) => a.id < b.id ? -1 : 1));
  const agents = await sql<{ id: string; sessionId: string | null }[]>`
    select id, session_id from agent where id = any(${[...model.sessions.keys()]}::uuid[])`;
  expect(new Map(agents.map((a) => [a.id, a.sessionId]))).toEqual(model.sessions);
}
/** When a task may be handed out says something only while it waits. */
const due = (state: Task["state"], dueAt: number) => state === "pending" ? { dueAt } : {};

function command(words: string, run: (model: LeaseModel, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    async run(model, real) {
      await run(model, real);
      await compare(model, real);
    },
    toString: () => words,
  };
}
/** A generator of commands: what is drawn is what a failing case prints. */
const act = <T>(
  name: string,
  what: fc.Arbitrary<T>,
  run: (model: LeaseModel, real: Real, drawn: T) => Promise<void>,
): fc.Arbitrary<Command> =>
  what.map((drawn) => command(`${name} ${JSON.stringify(drawn)}`, (model, real) => run(model, real, drawn)));

const Agent = fc.nat(1);
const TaskIndex = fc.nat(2);
/** One of the leases ever handed out, mostly a late one; now and then said by somebody else, or with a fence made up. */
const Paper = fc.record({
  back: fc.oneof({ weight: 4, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.nat(30) }),
  forged: fc.oneof({ weight: 6, arbitrary: fc.constant("no") }, {
    weight: 1,
    arbitrary: fc.constantFrom("holder", "newer", "older"),
  }),
});
type Paper = typeof Paper extends fc.Arbitrary<infer T> ? T : never;
/** A call names a task once (`perLease` in scheduler/message_handlers.ts sees to it). */
const Papers = fc.array(Paper, { minLength: 1, maxLength: 3 });

function show(model: LeaseModel, real: Real, { back, forged }: Paper): Lease | undefined {
  if (model.leases.length === 0) return undefined;
  const lease = model.leases.at(-1 - back % model.leases.length)!;
  if (forged === "holder") return { ...lease, agentId: real.agents.find((a) => a !== lease.agentId)! };
  return { ...lease, fence: lease.fence + (forged === "newer" ? 1 : forged === "older" ? -1 : 0) };
}
function once<T>(papers: T[], lease: (paper: T) => Lease | undefined): { lease: Lease; paper: T }[] {
  const found = papers.flatMap((paper) => lease(paper) ? [{ lease: lease(paper)!, paper }] : []);
  return [...new Map(found.map((f) => [f.lease.taskId, f])).values()];
}
const sorted = (ids: readonly string[]) => [...ids].sort();

async function arrive(model: LeaseModel, real: Real, agentId: string, resumes: Resume[]): Promise<void> {
  const sessionId = real.db.newId();
  real.sessions.get(agentId)!.push(sessionId);
  const arrival = { agentId, sessionId, slots: 3, facts: {}, versions: {}, resumes };
  const answer = await real.verbs.connectAgent(real.db, arrival, { leaseSeconds: LEASE / 1000, chance });
  expect(answer!.verdicts.map(({ verdict, logOffset }) => ({ verdict, logOffset })))
    .toEqual(model.connect(agentId, sessionId, resumes));
}

/** A person's wish, which is refused with a sentence or done. */
async function wish(verb: LeaseVerbs["cancelTask"], real: Real, id: string): Promise<boolean> {
  try {
    await verb({ ...real.world.deps, db: real.db }, id, real.world.actor);
    return true;
  } catch (error: unknown) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

const Session = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) });
const sessionOf = (real: Real, agent: string, back: number) =>
  real.sessions.get(agent)!.at(-1 - back) ?? real.sessions.get(agent)![0]!;

const claim = act(
  "claim",
  fc.uniqueArray(fc.record({ agent: Agent, free: fc.integer({ min: 1, max: 3 }), back: Session }), {
    minLength: 1,
    maxLength: 2,
    selector: (w) => w.agent,
  }),
  async (model, real, drawn) => {
    const wants = drawn.map(({ agent, free, back }) => {
      const agentId = real.agents[agent]!;
      return { agentId, free, sessionId: sessionOf(real, agentId, back), agentName: "an agent" };
    });
    const given = await real.verbs.claimTasks(real.db, wants, LEASE / 1000);
    model.claim(wants, given.map(({ id, ...rest }) => ({ taskId: id, ...rest })));
  },
);

const accept = act("accept", Papers, async (model, real, papers) => {
  const leases = once(papers, (p) => show(model, real, p)).map((f) => f.lease);
  expect(sorted(await real.verbs.acceptTasks(real.db, leases))).toEqual(sorted(model.accept(leases)));
});

const renew = act("renew", Papers, async (model, real, papers) => {
  const leases = once(papers, (p) => show(model, real, p)).map((f) => f.lease);
  expect(sorted(await real.verbs.renewLeases(real.db, leases, LEASE / 1000))).toEqual(sorted(model.renew(leases)));
});

const Ends = fc.array(
  fc.record({
    paper: Paper,
    word: fc.record({
      status: fc.constantFrom("success", "failed", "failed", "failed", "failed", "cancelled"),
      retryable: fc.boolean(),
    }),
  }),
  { minLength: 1, maxLength: 3 },
);
const finish = act("finish", Ends, async (model, real, ends) => {
  const words = once(ends, (e) => show(model, real, e.paper)).map(({ lease, paper }) => ({
    ...lease,
    ...paper.word as Word,
  }));
  const results = words.map(({ status, retryable, ...lease }) => ({
    ...lease,
    outcome: Outcome.parse({ status, message: "It is over.", ...(status === "failed" ? { retryable } : {}) }),
  }));
  expect(sorted(await real.verbs.finishTasks(real.db, results, chance))).toEqual(sorted(model.finish(words)));
});

const Chunks = fc.array(fc.record({ paper: Paper, text: fc.constantFrom("a", "bc", "def\n"), skip: fc.nat(2) }), {
  minLength: 1,
  maxLength: 3,
});
/** skip 0 goes on where the log ends (a second one of the same task then repeats), 1 leaves a gap, 2 goes back. */
const append = act("append", Chunks, async (model, real, drawn) => {
  const chunks = drawn.flatMap(({ paper, text, skip }) => {
    const lease = show(model, real, paper);
    if (!lease) return [];
    const { chunks } = model.tasks.get(lease.taskId)!;
    const step = [0, 1, -1][skip]!;
    return [{
      ...lease,
      text,
      sequence: Math.max(0, chunks.length + step),
      offset: Math.max(0, chunks.join("").length + step),
    }];
  });
  const stored = await real.verbs.appendChunks(
    real.db,
    chunks.map(({ text, ...chunk }) => ({ ...chunk, data: new TextEncoder().encode(text) })),
  );
  expect(new Map(stored.map((s) => [s.taskId, s.offset]))).toEqual(model.append(chunks));
});

const cancel = act("cancel", TaskIndex, async (model, real, index) => {
  const id = real.tasks[index]!;
  expect(await wish(real.verbs.cancelTask, real, id)).toBe(model.cancel(id));
});
/** Mostly of one that failed, which is allowed. */
const retry = act("retry", fc.nat(9), async (model, real, index) => {
  const failed = real.tasks.filter((id) => model.tasks.get(id)!.state === "failed");
  const id = index < 3 || failed.length === 0 ? real.tasks[index % 3]! : failed[index % failed.length]!;
  expect(await wish(real.verbs.retryTask, real, id)).toBe(model.retry(id));
});

const Arrival = fc.record({
  agent: Agent,
  resumes: fc.array(fc.record({ paper: Paper, state: fc.constantFrom("running", "suspended", "finished") }), {
    maxLength: 3,
  }),
});
const connect = act("connect", Arrival, async (model, real, { agent, resumes }) => {
  const named = once(resumes, (r) => show(model, real, r.paper)).map(({ lease, paper }) => ({
    taskId: lease.taskId,
    fence: lease.fence,
    state: paper.state as Resume["state"],
  }));
  await arrive(model, real, real.agents[agent]!, named);
});
const disconnect = act(
  "disconnect",
  fc.record({ agent: Agent, back: Session }),
  async (model, real, { agent, back }) => {
    const agentId = real.agents[agent]!;
    const sessionId = sessionOf(real, agentId, back);
    await real.verbs.disconnectAgent(real.db, agentId, sessionId);
    model.disconnect(agentId, sessionId);
  },
);

const Length = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: LEASE / 2 }) },
  { weight: 1, arbitrary: fc.constantFrom(LEASE - 1, LEASE, LEASE + 1) },
  { weight: 1, arbitrary: fc.integer({ min: LEASE + 1, max: 4 * LEASE }) },
);
const pass = act("pass", Length, async (model, real, milliseconds) => {
  await setClock(real.db, model.now += milliseconds);
});
const sweep = async (model: LeaseModel, real: Real) => {
  const options = { leaseSeconds: LEASE / 1000, graceSeconds: GRACE / 1000, chance };
  expect(await real.verbs.reapTasks(real.db, options)).toBe(model.reap());
};
const reap = act("reap", fc.constant("once"), sweep);
/** What a master does that is never away: every lease that nobody renews ends by it. */
const watch = act("watch", fc.integer({ min: 2, max: 6 }), async (model, real, rounds) => {
  for (let round = 0; round < rounds; round++) {
    await setClock(real.db, model.now += LEASE / 2);
    await sweep(model, real);
  }
});

/** Drawn as often as they stand here. */
const leaseCommands = [
  ...[claim, claim, claim, claim, accept, accept, renew, append, append, finish, finish, finish],
  ...[cancel, retry, retry, connect, connect, disconnect, pass, pass, reap, watch],
];
