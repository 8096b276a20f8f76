/**
 * The same random acts, done to PostgreSQL and to the twin: every answer and all that can be seen must be equal, so the
 * simulation tells of the product and not of a model of it.
 */
import fc from "../helpers/fast_check.ts";
import { expect, it } from "vitest";
import type { HeldLease } from "../../db/tasks/accept_tasks.ts";
import { Outcome } from "../../protocol/operation.ts";
import { modelRuns, patience } from "../helpers/model_runs.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import { createMemoryWorld } from "./memory_world.ts";
import { createSqlWorld } from "./sql_world.ts";
import { idOf } from "./store_suite/store_play.ts";
import type { StoreWorld } from "./store_world.ts";

const db = await createTestDatabase({ max: 1 });
const LEASE = 10;
const chance = () => 0.5;
const ENVIRONMENT = idOf(1);
const AGENTS = [idOf(2), idOf(3)];
const DEPLOYMENTS = [idOf(4), idOf(5)];
const TASKS = Array.from({ length: 9 }, (_, n) => idOf(20 + n));

/** Two deployments: a diamond, and a whole of three parts of which one may fail, with what waits for it. */
async function build(world: StoreWorld): Promise<void> {
  await world.environment(ENVIRONMENT);
  for (const id of AGENTS) await world.agent(id, [ENVIRONMENT]);
  await world.deployment(DEPLOYMENTS[0]!, ENVIRONMENT, "continue");
  await world.deployment(DEPLOYMENTS[1]!, ENVIRONMENT, "stop");
  const [a, b, c, d, whole, one, two, three, last] = TASKS as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const first = { deploymentId: DEPLOYMENTS[0]! };
  const second = { deploymentId: DEPLOYMENTS[1]! };
  await world.task({ ...first, id: a, maxAttempts: 2 });
  await world.task({ ...first, id: b, dependsOn: [a], targetAgentId: AGENTS[0]! });
  await world.task({ ...first, id: c, dependsOn: [a] });
  await world.task({ ...first, id: d, dependsOn: [b, c] });
  await world.task({ ...second, id: whole, isLeaf: false, maxFailures: 1 });
  for (const id of [one, two, three]) {
    await world.task({ ...second, id, parentId: whole, maxAttempts: id === two ? 3 : 1 });
  }
  await world.task({ ...second, id: last, dependsOn: [whole] });
}

/** What both worlds have been told so far; leases are drawn from it, late ones too. */
interface Known {
  leases: HeldLease[];
  sessions: string[];
  /** Sequence and offset of the next chunk of each lease. */
  written: Map<HeldLease, { sequence: number; offset: number }>;
}
type Act = (world: StoreWorld, known: Readonly<Known>) => Promise<unknown>;

const Paper = fc.record({ back: fc.nat(4), forge: fc.constantFrom("no", "no", "no", "no", "fence", "holder") });
type Paper = { back: number; forge: string };
const leaseOf = ({ leases }: Readonly<Known>, { back, forge }: Paper): HeldLease | undefined => {
  const lease = leases.at(-1 - back % Math.max(1, leases.length));
  if (!lease) return undefined;
  if (forge === "fence") return { ...lease, fence: lease.fence + 1 };
  return forge === "holder" ? { ...lease, agentId: AGENTS.find((id) => id !== lease.agentId)! } : lease;
};
/** A call names a task once (`perLease` in scheduler/message_handlers.ts sees to it). */
const leasesOf = (
  known: Readonly<Known>,
  papers: Paper[],
) => [...new Map(papers.flatMap((p) => leaseOf(known, p) ?? []).map((l) => [l.taskId, l])).values()];

const Acts: Record<string, fc.Arbitrary<Act>> = {
  claim: fc.record({ agent: fc.nat(1), free: fc.integer({ min: 1, max: 3 }), stale: fc.nat(9) }).map(
    ({ agent, free, stale }) => (world, { sessions }) => {
      const session = sessions[stale === 0 ? 0 : sessions.length - 1];
      const want = { agentId: AGENTS[agent]!, agentName: `agent ${AGENTS[agent]!}`, free };
      return world.store.claimTasks([stale < 3 && session ? { ...want, sessionId: session } : want], LEASE);
    },
  ),
  accept: fc.array(Paper, { minLength: 1, maxLength: 3 }).map((papers) => (world, known) =>
    world.store.acceptTasks(leasesOf(known, papers))
  ),
  renew: fc.array(Paper, { minLength: 1, maxLength: 3 }).map((papers) => (world, known) =>
    world.store.renewLeases(leasesOf(known, papers), LEASE)
  ),
  finish: fc.record({
    words: fc.array(
      fc.record({
        paper: Paper,
        status: fc.constantFrom("success" as const, "success" as const, "failed" as const, "cancelled" as const),
        retryable: fc.boolean(),
      }),
      { minLength: 1, maxLength: 2 },
    ),
    handOnTo: fc.constantFrom(0, 1, undefined),
  }).map(({ words, handOnTo }) => async (world, known) => {
    const results = words.flatMap(({ paper, status, retryable }) => {
      const lease = leaseOf(known, paper);
      return lease ? [{ ...lease, outcome: Outcome.parse({ status, retryable, message: "So it is." }) }] : [];
    });
    const once = [...new Map(results.map((r) => [r.taskId, r])).values()];
    if (handOnTo === undefined) return await world.store.finishTasks(once, chance);
    const want = { agentId: AGENTS[handOnTo]!, agentName: `agent ${AGENTS[handOnTo]!}`, free: 2 };
    const { taken, claimed } = await world.store.finishAndHandOn(once, chance, [want], LEASE);
    return [...taken, ...claimed];
  }),
  log: fc.record({
    paper: Paper,
    gap: fc.nat(4),
    text: fc.string({ minLength: 1, maxLength: 5, unit: "grapheme-ascii" }),
  })
    .map(({ paper, gap, text }) => (world, known) => {
      const lease = leaseOf(known, paper);
      if (!lease) return Promise.resolve([]);
      const at = known.written.get(lease) ?? { sequence: 0, offset: 0 };
      const next = { sequence: at.sequence + (gap === 0 ? 1 : 0), offset: at.offset };
      return world.store.appendChunks([{ ...lease, ...next, data: new TextEncoder().encode(text) }]);
    }),
  pass: fc.constantFrom(100, 1000, 4000, 9000, 11_000, 40_000).map((ms) => (world) => world.advance(ms)),
  reap: fc.constantFrom(false, false, true).map((isReturn) => (world) =>
    world.store.reapTasks({ leaseSeconds: LEASE, graceSeconds: 15, isReturn, chance })
  ),
  connect: fc.record({
    agent: fc.nat(1),
    session: fc.integer({ min: 200, max: 220 }),
    papers: fc.array(Paper),
    ended: fc.boolean(),
  })
    .map(({ agent, session, papers, ended }) => (world, known) => {
      const agentId = AGENTS[agent]!;
      const state = ended ? "finished" as const : "running" as const;
      const resumes = leasesOf(known, papers).map(({ taskId, fence }) => ({ taskId, fence, state }));
      const arrival = { agentId, sessionId: idOf(session), slots: 3, facts: {}, versions: {}, resumes };
      return world.store.connectAgent(arrival, { leaseSeconds: LEASE, chance });
    }),
  disconnect: fc.record({ agent: fc.nat(1), session: fc.integer({ min: 200, max: 220 }) }).map(
    ({ agent, session }) => (world) => world.store.disconnectAgent(AGENTS[agent]!, idOf(session)),
  ),
  cancelTask: fc.nat(TASKS.length - 1).map((n) => (world) => world.cancelTask(TASKS[n]!)),
  cancelDeployment: fc.nat(1).map((n) => (world) => world.cancelDeployment(DEPLOYMENTS[n]!)),
  read: fc.constant(async (world) => [
    sorted(await world.store.readHeld(AGENTS)),
    sorted((await world.store.readCancels(AGENTS)).map(({ reason: _, ...cancel }) => cancel)),
  ]),
};
const WEIGHTS: Record<string, number> = {
  claim: 8,
  accept: 4,
  renew: 4,
  finish: 7,
  log: 4,
  pass: 5,
  reap: 5,
  connect: 2,
  cancelTask: 1,
};

const step = fc.oneof(
  ...Object.entries(Acts).map(([name, arbitrary]) => ({
    weight: WEIGHTS[name] ?? 1,
    arbitrary: arbitrary.map((act) => ({ name, act })),
  })),
);

/** Rows come in no order that anybody was promised. */
function sorted(answer: unknown): unknown {
  if (!Array.isArray(answer)) return answer;
  return [...answer].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
/** Names, projects and payloads are the builders' own. */
const essence = (answer: unknown): unknown =>
  sorted(
    Array.isArray(answer) ? answer.map((row) => row?.fence === undefined || row.verdict ? row : pick(row)) : answer,
  );
const pick = ({ id, taskId, agentId, fence, attempt, offset, parentId, deploymentId }: Record<string, unknown>) => ({
  id,
  taskId,
  agentId,
  fence,
  attempt,
  offset,
  parentId,
  deploymentId,
});

const runs = modelRuns("twin against PostgreSQL", 15);
it("the twin answers and looks like PostgreSQL after every act of any sequence", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 70, size: "max" }), async (steps) => {
      const worlds = [await createSqlWorld(db), createMemoryWorld()] as const;
      for (const world of worlds) await build(world);
      const known: Known = { leases: [], sessions: [], written: new Map() };
      for (const { name, act } of steps) {
        const [real, twin] = [await act(worlds[0], known), await act(worlds[1], known)];
        expect(essence(twin), name).toEqual(essence(real));
        expect(await worlds[1].read(), name).toEqual(await worlds[0].read());
        learn(known, name, real);
      }
    }),
    runs,
  );
}, patience(runs));

function learn(known: Known, name: string, answer: unknown): void {
  if (name === "claim" || name === "finish") {
    for (const given of answer as (string | { id: string; fence: number; agentId: string })[]) {
      if (typeof given === "string") continue; // was taken
      known.leases.push({ taskId: given.id, fence: given.fence, agentId: given.agentId });
    }
  }
  if (name === "log") {
    for (const { taskId, fence, agentId, offset } of answer as (HeldLease & { offset: number })[]) {
      const lease = known.leases.find((l) => l.taskId === taskId && l.fence === fence && l.agentId === agentId);
      const at = lease && (known.written.get(lease) ?? { sequence: 0, offset: 0 });
      if (at && offset > at.offset) known.written.set(lease, { sequence: at.sequence + 1, offset });
    }
  }
}
