/**
 * Random plans under random acts of agents and people, on the real SQL. After each act every task and the deployment are
 * what the model (`tests/helpers/tree_model.ts`) says they are. And, without the model: what is over stays over, nothing
 * starts before its time, and every deployment ends (or is paused and asks a person).
 */
import fc from "../../tests/helpers/fast_check.ts";
import { beforeAll, it } from "vitest";
import { playAll } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { modelRuns, patience } from "../../tests/helpers/model_runs.ts";
import { TreeGame } from "../../tests/helpers/tree_game.ts";
import { TreeModel } from "../../tests/helpers/tree_model.ts";
import { LEASE_SECONDS, moveClock } from "../../tests/helpers/tree_moves.ts";
import { Step, Wish } from "../../tests/helpers/tree_steps.ts";
import type { Answer, Luck } from "../../tests/helpers/tree_steps.ts";
import type { Choice } from "../../tests/helpers/tree_task.ts";
import type { RollbackScope } from "../../domain/strategy.ts";
import { approveTask } from "../approvals/vote_on_task.ts";
import { DEFAULT_PROJECT } from "../database.ts";
import type { Actor } from "../database.ts";
import { recordMeasurement } from "../gates/record_measurement.ts";
import { endPauses } from "../tasks/end_pauses.ts";
import { reapTasks } from "../tasks/reap_tasks.ts";
import { createDeployment } from "./create_deployment.ts";
import type { DeploymentDeps } from "./load_plan.ts";
import { startDeployment } from "./start_deployment.ts";

const RUNS = modelRuns("tree", 22);
let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase({ max: 1 }); // its clock is set for the session
});

const Target = fc.record({ target: fc.constantFrom<string | number>(1, "50%"), maxFailures: fc.constantFrom(0, 1) });
const Between = fc.constantFrom(
  { pause: "1m" },
  { gate: { http: "https://shop.example.com/ok" } },
  { gate: { script: "ops/gate.sh" } },
  { approve: {} },
  { approve: { count: 2 } },
);
/** How often a hook runs; mostly there is none. */
const On = fc.constantFrom(null, null, null, null, null, "once" as const, "each" as const);
const Strategy = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom("all", "rolling", "rolling", "rolling"),
      batch: fc.constantFrom<string | number>(1, 1, 2, "50%"),
      maxFailures: fc.constantFrom(0, 1),
      wait: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("canary"),
      steps: fc.array(fc.oneof(Target, Between), { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("blueGreen"),
      steps: fc.array(Between, { maxLength: 2 }),
      hold: fc.boolean(),
    }),
  },
);
type Strategy = typeof Strategy extends fc.Arbitrary<infer T> ? T : never;
const Plan = fc.record({
  machines: fc.constantFrom(0, 0, 1, 2, 3, 3, 4), // 0: an environment without machines of its own
  apps: fc.array(
    fc.record({ needs: fc.array(fc.nat(3), { maxLength: 2 }), attempts: fc.constantFrom(1, 1, 2), own: fc.boolean() }),
    { minLength: 1, maxLength: 4 },
  ),
  onFailure: fc.constantFrom("rollback" as const, "pause", "pause", "stop", "continue"),
  /** Of those who ask: what counts as the answer after a while. */
  answer: fc.constantFrom<Choice | null>(null, "fail", "retry", "ignore", "exclude", "rollback"),
  scope: fc.constantFrom<RollbackScope>("deployment", "batch", "target"),
  /** Some applications go their own way. */
  strategies: fc.tuple(Strategy, Strategy),
  hooks: fc.record({
    preDeploy: On,
    preSwitch: On,
    postDeploy: On,
    onRollback: On,
    onFailure: On,
  }),
  watch: fc.boolean(),
  before: fc.boolean(),
});
type Plan = typeof Plan extends fc.Arbitrary<infer T> ? T : never;
/** What a file could say: some things exclude each other there. */
function strategyOf(strategy: Strategy, hooks: Plan["hooks"]): Record<string, unknown> {
  const toleratesNone = hooks.preSwitch !== null || hooks.postDeploy === "each";
  const tolerating = (step: object) => toleratesNone ? { ...step, maxFailures: 0 } : step;
  if ("wait" in strategy) {
    const { wait, ...batching } = strategy;
    return { ...tolerating(batching), ...(wait && strategy.type === "rolling" ? { wait: "1s" } : {}) };
  }
  if ("hold" in strategy) {
    const { hold, ...sides } = strategy;
    return { ...sides, ...(hold ? { hold: "1m" } : {}) };
  }
  return { ...strategy, steps: strategy.steps.map((step) => "target" in step ? tolerating(step) : step) };
}
/** Batches are cut anew where nothing but the release of each machine lies in them. */
const canBeCut = ({ type }: Strategy, { preDeploy, preSwitch, postDeploy }: Plan["hooks"]) =>
  type === "rolling" && preSwitch === null && preDeploy !== "each" && postDeploy !== "each";

async function setUp(plan: Plan): Promise<TreeGame> {
  const suffix = db.newId().slice(-8);
  const name = (n: number) => `app${n}-${suffix}`;
  const hooks = Object.fromEntries(
    Object.entries(plan.hooks).flatMap(([hook, on]) => on === null ? [] : [[hook, { run: "ops/hook.sh", on }]]),
  );
  const ways = plan.apps.map((app) => plan.strategies[app.own ? 1 : 0]);
  const ask = plan.onFailure === "pause" && plan.answer ? { askFor: "10m", default: plan.answer } : {};
  const applications = Object.fromEntries(plan.apps.map((app, index) => [name(index), {
    // Only earlier ones, so that there is no circle.
    needs: [...new Set(app.needs.filter((n) => n < index).map(name))],
    attempts: app.attempts,
    strategy: {
      ...strategyOf(ways[index]!, plan.hooks),
      onFailure: { action: plan.onFailure, scope: plan.scope, ...ask },
    },
    hooks,
    ...(plan.watch ? { healthy: { watchAfter: "1m" } } : {}),
    ...(plan.machines > 0 ? { runtime: { script: { deploy: "d.sh" } } } : {}),
  }]));
  const world = await seedWorld(db, { applications, type: plan.machines > 0 ? "pm" : "mock" });
  const people = [world.actor, ...await seedPeople(2)];
  const agents: string[] = [];
  for (let m = 0; m < Math.max(1, plan.machines); m++) agents.push(await world.agent(`m${m}-${suffix}`));
  // Long known: a watch waits for nobody's first word.
  await db.sql`update agent set updated_at = boreas_now() - interval '1 h' where id = any(${agents}::uuid[])`;
  const deploy = async (version: string) => {
    const versionId = await world.version(`${version}-${suffix}`);
    const input = { versionId, environmentId: world.environmentId, mustInOrder: [] };
    const id = await createDeployment(world.deps, input, world.actor);
    await startDeployment(world.deps, id, world.actor);
    return id;
  };
  if (plan.before) {
    const first = await deploy("v1");
    for (let i = 0; i < 12; i++) {
      await playAll(db, agents);
      await db
        .sql`update task set run_after = boreas_now() where deployment_id = ${first} and type in ('pause', 'gate')`;
      const waits = await db.sql<{ id: string; type: string; fence: number }[]>`
        select id, type, fence from task where deployment_id = ${first} and state = 'pending' and not is_leaf
          and type in ('gate', 'approval') and payload ->> 'kind' is distinct from 'watch'`;
      for (const { id, type, fence } of waits) {
        if (type === "approval") await approveByAll(world.deps, id, people);
        else await recordMeasurement(db, { id, fence }, { value: 200, verdict: "pass", note: "seen" });
      }
      if ((await endPauses(db)).ended === 0 && waits.length === 0) break;
    }
  }
  const game = new TreeGame(db, world, agents, people, await deploy("v2"), plan.apps.length);
  game.before = await game.places();
  const on = plan.hooks.onFailure;
  const ids = Object.values(world.applications); // in the order of the plan's
  game.model = new TreeModel(await game.tasks(), {
    onFailure: plan.onFailure,
    scope: plan.scope,
    answer: ask.default ?? null,
    hooks: new Map(on === null ? [] : ids.map((id) => [id, on])),
    rolling: new Map(
      ids.flatMap((id, at) => canBeCut(ways[at]!, plan.hooks) ? [[id, "wait" in ways[at]! && ways[at].wait]] : []),
    ),
  });
  return game;
}

async function seedPeople(count: number): Promise<Actor[]> {
  const people: Actor[] = [];
  for (let at = 0; at < count; at++) {
    const userId = db.newId();
    const name = `user-${userId}`;
    await db.sql`insert into app_user (id, username, password_hash) values (${userId}, ${name}, 'none')`;
    people.push({ userId, name, role: "admin", ip: null, projectId: DEFAULT_PROJECT });
  }
  return people;
}

async function approveByAll(deps: DeploymentDeps, id: string, people: readonly Actor[]): Promise<void> {
  for (const person of people) {
    const [task] = await db.sql<{ state: string }[]>`select state from task where id = ${id}`;
    if (task!.state === "pending") await approveTask(deps, id, person);
  }
}

it("holds every rule, and always ends, under any order of work, failures and wishes", async () => {
  await moveClock(db);
  await reapTasks(db, { leaseSeconds: LEASE_SECONDS, graceSeconds: 0, chance: () => 0 });
  await fc.assert(
    fc.asyncProperty(
      Plan,
      fc.array(Step, { minLength: 2, maxLength: 10 }),
      fc.constantFrom<Answer>("again", "again", "ignore", "exclude", "fail", "unanswered"),
      fc.constantFrom<Luck>("good", "mixed", "bad"),
      fc.array(Wish, { maxLength: 12 }),
      async (plan, steps, answer, luck, wishes) => {
        const game = await setUp(plan);
        await game.check(false);
        for (const step of steps) await game.step(step);
        await game.playToTheEnd(answer, luck, wishes);
        await game.check(true);
        await game.checkEnd();
      },
    ),
    RUNS,
  );
}, patience(RUNS));
