/**
 * What is changed by hand on machines: seen, said, and healed where the application asks for it. Two agents of the real
 * runtime, and an operator that lets a test change what runs.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { healDrift } from "../../db/drift/heal_drift.ts";
import { createFreeze } from "../../db/freezes/create_freeze.ts";
import { createHints } from "../../db/hints.ts";
import type { Observed, Operator } from "../../operators/operator.ts";
import type { Operation } from "../../protocol/operation.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { type StartedScheduler, startScheduler, until } from "../helpers/start_scheduler.ts";
import { createTestDatabase, type TestDatabase } from "../helpers/test_database.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

/** A machine whose applications a test may change by hand. */
function createMachine(name: string) {
  const runs = new Map<string, Observed>();
  const operations: Operation[] = [];
  let changed = () => {};
  let gate: Promise<void> | undefined;
  const operator: Operator = {
    kind: "pm",
    async run(operation) {
      operations.push(operation);
      await gate;
      const { app, environmentId, version } = operation;
      runs.set(`${environmentId}/${app}`, {
        ...{ application: app, environmentId, target: name, version, health: "healthy", resources: [] },
        ...{ differences: [], details: {} },
      });
      return { status: "success", message: `${app} ${version} runs.` };
    },
    async *observe() {
      yield* runs.values();
    },
    onChange(call) {
      changed = call;
      return () => {};
    },
  };
  return {
    operator,
    operations,
    /** Whatever runs here takes until the returned function is called. */
    hold() {
      let open = () => {};
      gate = new Promise<void>((resolve) => open = resolve);
      return () => (open(), gate = undefined);
    },
    changeByHand() {
      for (const [key, one] of runs) {
        runs.set(key, { ...one, differences: [{ path: "env.LOG_LEVEL", expected: "info", actual: "debug" }] });
      }
      changed();
    },
  };
}

async function setUp(mode: "report" | "heal", policy: Record<string, unknown> = {}) {
  const app = `order-${db.newId().slice(-6)}`;
  const world = await seedWorld(db, {
    type: "pm",
    policy,
    applications: {
      [app]: { runtime: { script: { deploy: "x.sh" } }, drift: { mode }, nodes: { labels: { a: app } } },
    },
  });
  const hints = createHints();
  const options = { hints, sweepSeconds: 0.2, driftSettleSeconds: 0.3 };
  const machines = { m1: createMachine(`m1-${app}`), m2: createMachine(`m2-${app}`) };
  const ids = { m1: await world.agent(`m1-${app}`, { a: app }), m2: await world.agent(`m2-${app}`, { a: app }) };
  // After its machines: a master binds those that live within it to environments by itself.
  const started: StartedScheduler[] = [await startScheduler(db, options)];
  const connect = async (scheduler: StartedScheduler) => {
    for (const m of ["m1", "m2"] as const) await scheduler.agent(ids[m], { operators: [machines[m].operator] });
  };
  await connect(started[0]!);
  const deps = { ...world.deps, hints };
  const environmentId = world.environmentId;
  return {
    ...{ world, deps, hints, machines, app, environmentId },
    deploy: (versionId: string) => createDeployment(deps, { versionId, environmentId, autoStart: true }, world.actor),
    status: async (id: string) => (await db.sql`select status from deployment where id = ${id}`)[0]!.status as string,
    sync: async (m: "m1" | "m2") =>
      (await db.sql`select sync, health, drift from app_state where target = ${`${m}-${app}`}`)[0],
    heals: () =>
      db.sql<{ id: string; status: string; onlyTargets: string[]; reason: { code: string } }[]>`
        select id, status, only_targets, reason from deployment where environment_id = ${environmentId} and reapply order by id`,
    async restartMaster() {
      await started.at(-1)!.stop();
      started.push(await startScheduler(db, options));
      await connect(started.at(-1)!);
    },
    stop: () => started.at(-1)!.stop(),
  };
}
type World = Awaited<ReturnType<typeof setUp>>;
const deployed = async (w: World, name: string) => {
  const id = await w.deploy(await w.world.version(name));
  await until(w.hints, async () => await w.status(id) === "completed", `the end of ${name}`);
  await until(w.hints, async () => (await w.sync("m1"))?.sync === "synced", "m1 in sync");
};

describe("what was changed by hand", () => {
  it("is out of sync with a readable difference, on that machine alone, and stays so where it is only reported", async () => {
    const w = await setUp("report");
    await deployed(w, `v1-${w.app}`);
    w.machines.m1.changeByHand();
    await until(w.hints, async () => (await w.sync("m1"))?.sync === "out_of_sync", "m1 out of sync");
    expect(await w.sync("m2")).toMatchObject({ sync: "synced" });
    expect((await w.sync("m1"))!.drift).toEqual([{ path: "env.LOG_LEVEL", expected: "info", actual: "debug" }]);
    const events = await db.sql`select data from event where kind = 'application.out_of_sync'
      and data ->> 'target' = ${`m1-${w.app}`}`;
    expect((events[0]!.data as { reason: { text: string } }).reason.text).toContain("env.LOG_LEVEL is debug, not info");
    await w.restartMaster();
    await until(w.hints, async () => (await w.sync("m1"))?.sync === "out_of_sync", "m1 still out of sync");
    expect(await w.heals()).toEqual([]);
    await w.stop();
  });

  it("is applied again by a deployment of its own, to that machine alone, with what was frozen then", async () => {
    const w = await setUp("heal");
    await deployed(w, `v1-${w.app}`);
    w.machines.m1.changeByHand();
    const heal = await until(w.hints, async () => (await w.heals())[0], "a deployment that heals");
    expect(heal.onlyTargets).toEqual([`m1-${w.app}`]);
    await until(w.hints, async () => await w.status(heal.id) === "completed", "the end of healing");
    await until(w.hints, async () => (await w.sync("m1"))?.sync === "synced", "m1 in sync again");
    expect(w.machines.m1.operations.map((o) => o.reapply ?? false)).toEqual([false, true]);
    expect(w.machines.m2.operations).toHaveLength(1);
    const said = await db.sql`select data from event where deployment_id = ${heal.id} and kind = 'deployment.created'`;
    expect((said[0]!.data as { reason: { text: string } }).reason.text).toContain("env.LOG_LEVEL is debug, not info");
    // At once again: the next try has to wait.
    w.machines.m1.changeByHand();
    await until(w.hints, async () => (await w.sync("m1"))?.sync === "out_of_sync", "m1 out of sync again");
    await w.restartMaster();
    await until(w.hints, async () => (await w.sync("m1"))?.sync === "out_of_sync", "m1 still out of sync");
    expect(await w.heals()).toHaveLength(1);
    await db
      .sql`update app_state set healing = jsonb_set(healing, '{tries}', to_jsonb(array[0])) where target = ${`m1-${w.app}`}`;
    await until(w.hints, async () => (await w.heals()).length === 2, "the next try");
    await w.stop();
  });

  it("waits while a deployment of the application is under way, and goes on after it", async () => {
    const w = await setUp("heal");
    await deployed(w, `v1-${w.app}`);
    const open = w.machines.m2.hold();
    const next = await w.deploy(await w.world.version(`v2-${w.app}`));
    await until(w.hints, async () => w.machines.m2.operations.length === 2, "v2 at work on m2");
    await until(w.hints, async () => w.machines.m1.operations.length === 2, "v2 at work on m1");
    w.machines.m1.changeByHand();
    await until(w.hints, async () => ((await w.sync("m1"))!.drift as unknown[]).length === 1, "the note of it");
    expect(await w.status(next)).toBe("running");
    expect(await w.heals()).toEqual([]);
    open();
    await until(w.hints, async () => await w.status(next) === "completed", "the end of v2");
    await until(w.hints, async () => (await w.heals())[0]?.status === "completed", "healing after it");
    await w.stop();
  });

  it("waits while a freeze is in force, by hand or of the Plan, uses up no try, and goes on after it", async () => {
    const w = await setUp("heal");
    await deployed(w, `v1-${w.app}`);
    const wish = { environmentId: w.environmentId, until: "2999-01-01T00:00:00Z", reason: "a quiet week" };
    const freeze = await createFreeze(w.deps, wish, w.world.actor);
    w.machines.m1.changeByHand();
    await until(w.hints, async () => (await w.sync("m1"))?.sync === "out_of_sync", "m1 out of sync");
    const lookAgain = async () => {
      await db.sql`update app_state set observed_at = observed_at - interval '1 hour'`;
      await w.restartMaster(); // its drift loop sweeps at once
      expect(await healDrift(w.deps, 0)).toBe(0);
      expect(await w.heals()).toEqual([]);
      const [state] = await db.sql`select healing from app_state where target = ${`m1-${w.app}`}`;
      expect(state!.healing).toBeNull();
    };
    await lookAgain();
    const [{ name } = { name: "" }] = await db.sql<
      { name: string }[]
    >`select name from environment where id = ${w.environmentId}`;
    const planned = { freeze: [{ environment: name, cron: "0 0 * * *", for: "48h" }] };
    await db.sql`update version set plan = ${db.sql.json(planned)} where version = ${`v1-${w.app}`}`;
    await db.sql`update "freeze" set ends_at = boreas_now() where id = ${freeze}`;
    await lookAgain();
    await db.sql`update version set plan = '{}' where version = ${`v1-${w.app}`}`;
    await until(w.hints, async () => (await w.heals())[0]?.status === "completed", "healing after the freeze");
    await w.stop();
  });

  it("is not healed when its version is marked as reverted", async () => {
    const w = await setUp("heal");
    await deployed(w, `v1-${w.app}`);
    await db.sql`update version set status = 'revert' where version = ${`v1-${w.app}`}`;
    w.machines.m1.changeByHand();
    await until(w.hints, async () => (await w.sync("m1"))?.sync === "out_of_sync", "m1 out of sync");
    await db.sql`update app_state set observed_at = observed_at - interval '1 hour'`;
    await w.restartMaster(); // its drift loop sweeps at once
    await until(w.hints, async () => (await w.sync("m1"))?.sync === "out_of_sync", "m1 still out of sync");
    expect(await w.heals()).toEqual([]);
    await db.sql`update version set status = 'normal' where version = ${`v1-${w.app}`}`;
    await until(w.hints, async () => (await w.heals())[0], "healing, once it is wanted again");
    await w.stop();
  });

  it("waits for the approvals that the environment asks for, and is dropped when another version came meanwhile", async () => {
    const w = await setUp("heal");
    await deployed(w, `v1-${w.app}`);
    await db.sql`update environment set policy = '{"approvals": {"count": 1}}' where id = ${w.environmentId}`;
    w.machines.m1.changeByHand();
    const heal = await until(w.hints, async () => (await w.heals())[0], "a deployment that waits");
    expect(heal).toMatchObject({ status: "awaiting_approval", reason: { code: "deployment.awaiting_approval" } });
    await db.sql`update environment set policy = '{}' where id = ${w.environmentId}`;
    const next = await w.deploy(await w.world.version(`v2-${w.app}`));
    await until(w.hints, async () => await w.status(next) === "completed", "the end of v2");
    await db.sql`update deployment set approvals_needed = 0, status = 'pending' where id = ${heal.id}`;
    await until(w.hints, async () => await w.status(heal.id) === "superseded", "the end of what is outdated");
    expect(w.machines.m1.operations.map((o) => o.version)).toEqual([`v1-${w.app}`, `v2-${w.app}`]);
    await w.stop();
  });
});
