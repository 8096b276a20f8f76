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
import { modelRuns } from "../../tests/helpers/model_runs.ts";
import { CHOICES, LEASE_SECONDS, moveClock, Step, TreeGame } from "../../tests/helpers/tree_game.ts";
import type { Answer, Luck } from "../../tests/helpers/tree_game.ts";
import { TreeModel } from "../../tests/helpers/tree_model.ts";
import type { Choice } from "../../tests/helpers/tree_task.ts";
import { approveTask } from "../approvals/vote_on_task.ts";
import { recordMeasurement } from "../gates/record_measurement.ts";
import { endPauses } from "../tasks/end_pauses.ts";
import { reapTasks } from "../tasks/reap_tasks.ts";
import { createDeployment } from "./create_deployment.ts";
import { startDeployment } from "./start_deployment.ts";

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
);
/** How often a hook runs; mostly there is none. */
const On = fc.constantFrom(null, null, null, "once" as const, "each" as const);
const Plan = fc.record({
  machines: fc.constantFrom(0, 0, 1, 2, 3, 3, 3), // 0: an environment without machines of its own
  apps: fc.array(
    fc.record({ needs: fc.array(fc.nat(3), { maxLength: 2 }), attempts: fc.constantFrom(1, 1, 2) }),
    { minLength: 1, maxLength: 4 },
  ),
  onFailure: fc.constantFrom("rollback" as const, "pause", "pause", "stop", "continue"),
  /** Of those who ask: what counts as the answer after a while. */
  answer: fc.constantFrom<Choice | null>(null, "fail", "retry", "ignore", "exclude", "rollback"),
  strategy: fc.oneof(
    fc.record({
      type: fc.constantFrom("all", "rolling", "rolling"),
      batch: fc.constantFrom(1, 1, 2),
      maxFailures: fc.constantFrom(0, 1),
    }),
    fc.record({
      type: fc.constant("canary"),
      steps: fc.array(fc.oneof(Target, Between), { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ type: fc.constant("blueGreen"), steps: fc.array(Between, { maxLength: 2 }) }),
  ),
  hold: fc.boolean(),
  hooks: fc.record({
    preDeploy: On,
    preSwitch: On,
    postDeploy: On,
    onRollback: On,
    onFailure: On,
  }),
  wait: fc.boolean(),
  watch: fc.boolean(),
  before: fc.boolean(),
});
type Plan = typeof Plan extends fc.Arbitrary<infer T> ? T : never;
/** What a file could say: some things exclude each other there. */
function strategyOf({ strategy, wait, hold, hooks }: Plan): Record<string, unknown> {
  const toleratesNone = hooks.preSwitch !== null || hooks.postDeploy === "each";
  const tolerating = (step: object) => toleratesNone ? { ...step, maxFailures: 0 } : step;
  switch (strategy.type) {
    case "canary":
      return { ...strategy, steps: strategy.steps.map((step) => "target" in step ? tolerating(step) : step) };
    case "blueGreen":
      return { ...strategy, ...(hold ? { hold: "1m" } : {}) };
    default:
      return { ...tolerating(strategy), ...(wait ? { wait: "1s" } : {}) };
  }
}

async function setUp(plan: Plan): Promise<TreeGame> {
  const suffix = db.newId().slice(-8);
  const name = (n: number) => `app${n}-${suffix}`;
  const hooks = Object.fromEntries(
    Object.entries(plan.hooks).flatMap(([hook, on]) => on === null ? [] : [[hook, { run: "ops/hook.sh", on }]]),
  );
  const strategy = strategyOf(plan);
  const ask = plan.onFailure === "pause" && plan.answer ? { askFor: "10m", default: plan.answer } : {};
  const applications = Object.fromEntries(plan.apps.map((app, index) => [name(index), {
    // Only earlier ones, so that there is no circle.
    needs: [...new Set(app.needs.filter((n) => n < index).map(name))],
    attempts: app.attempts,
    strategy: { ...strategy, onFailure: { action: plan.onFailure, ...ask } },
    hooks,
    ...(plan.watch ? { healthy: { watchAfter: "1m" } } : {}),
    ...(plan.machines > 0 ? { runtime: { script: { deploy: "d.sh" } } } : {}),
  }]));
  const world = await seedWorld(db, { applications, type: plan.machines > 0 ? "pm" : "mock" });
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
        if (type === "approval") await approveTask(world.deps, id, world.actor);
        else await recordMeasurement(db, { id, fence }, { value: 200, verdict: "pass", note: "seen" });
      }
      if ((await endPauses(db)).ended === 0 && waits.length === 0) break;
    }
  }
  const game = new TreeGame(db, world, agents, await deploy("v2"), plan.apps.length);
  game.before = await game.places();
  const on = plan.hooks.onFailure;
  const failureHooks = new Map(on === null ? [] : Object.values(world.applications).map((id) => [id, on]));
  game.model = new TreeModel(await game.tasks(), plan.onFailure, ask.default ?? null, failureHooks);
  return game;
}

it("holds every rule, and always ends, under any order of work, failures and wishes", async () => {
  await moveClock(db);
  await reapTasks(db, { leaseSeconds: LEASE_SECONDS, graceSeconds: 0, chance: () => 0 });
  await fc.assert(
    fc.asyncProperty(
      Plan,
      fc.array(Step, { minLength: 4, maxLength: 16 }),
      fc.constantFrom<Answer>("again", "again", "ignore", "exclude", "fail", "unanswered"),
      fc.constantFrom<Luck>("good", "mixed", "bad"),
      async (plan, steps, answer, luck) => {
        const game = await setUp(plan);
        await game.check(false);
        for (const step of steps) {
          const done = await game.act(step);
          await game.check(done && (step.act.startsWith("retry") || step.act in CHOICES || step.act === "unanswered"));
        }
        await game.playToTheEnd(answer, luck);
        await game.check(true);
        await game.checkEnd();
      },
    ),
    modelRuns("tree", 35),
  );
}, 600_000);
