/**
 * Strategies and hooks as they are carried out: a real database, the real scheduler, and the mock operator on machines
 * that are only names. What was asked of each place is written down as it begins.
 */
import { afterEach, beforeAll, expect, it } from "vitest";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { editDeployment } from "../../db/deployments/edit_deployment.ts";
import { pauseDeployment, resumeDeployment } from "../../db/deployments/pause_deployment.ts";
import { rollbackDeployment } from "../../db/deployments/rollback_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { promoteDeployment } from "../../db/rollouts/promote_deployment.ts";
import { skipWait } from "../../db/rollouts/skip_wait.ts";
import { getTasksOfDeployment } from "../../db/tasks/read_tasks.ts";
import { createClock } from "../../host/clock.ts";
import { createMockOperator } from "../../operators/mock/mock_operator.ts";
import { planStages } from "../../domain/strategy.ts";
import type { StrategyInput } from "../../domain/strategy.ts";
import type { HooksInput } from "../../domain/hooks.ts";
import type { MockScript } from "../../protocol/config/application.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { startScheduler, until } from "../helpers/start_scheduler.ts";
import type { StartedScheduler } from "../helpers/start_scheduler.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";

let db: TestDatabase;
let run: StartedScheduler | undefined;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterEach(async () => {
  await run?.stop();
  run = undefined;
});

interface Release {
  strategy?: StrategyInput;
  hooks?: HooksInput;
  mock?: MockScript;
  healthy?: { watchAfter: string };
}
const hook = (on: "once" | "each" = "once") => ({ run: "ops/hook.sh", on });
const COUNT = /^[a-z]+/i;

/** Machines m1, m2, ... with nothing on them, and one agent that plays them one task at a time. */
async function rehearse(size: number) {
  const scheduler = run = await startScheduler(db, { planners: { mock: planStages } });
  const played: string[] = [];
  const suffix = db.newId().slice(-6);
  const app = `shop-${suffix}`;
  const applications: Record<string, Record<string, unknown>> = { [app]: {} };
  const targets = Array.from({ length: size }, (_, i) => `m${i + 1}`);
  const world = await seedWorld(db, { applications, environmentConfig: { targets } });
  world.deps.hints = scheduler.hints;
  const mock = createMockOperator({ clock: createClock() });
  await scheduler.agent(await world.agent(`agent-${suffix}`), {
    slots: 1, // so that what is written down has one order
    operators: [{
      ...mock,
      run(operation, context) {
        const { action, target, hook, isRollback, version } = operation;
        const what = hook ? `${hook.name}${isRollback ? "!" : ""}` : isRollback ? `back ${action}` : action;
        played.push([what, target?.name, hook ? "" : version.replace(`-${suffix}`, "")].filter(Boolean).join(" "));
        return mock.run(operation, context);
      },
    }],
  });
  const read = (id: string) => getTasksOfDeployment(db, id);
  const status = async (id: string) =>
    (await db.sql<{ status: string }[]>`select status from deployment where id = ${id}`)[0]!.status;
  return {
    played,
    deps: world.deps,
    actor: world.actor,
    read,
    async deploy(version: string, release: Release): Promise<string> {
      applications[app] = { ...release };
      const versionId = await world.version(`${version}-${suffix}`);
      const id = await createDeployment(world.deps, { versionId, environmentId: world.environmentId }, world.actor);
      await startDeployment(world.deps, id, world.actor);
      return id;
    },
    is: (id: string, want: string) =>
      until(scheduler.hints, async () => (await status(id)) === want, `deployment ${want}`),
    /** The part of this name, once it stands in this status and step. */
    part: (id: string, name: string, want: string) =>
      until(
        scheduler.hints,
        async () => (await read(id)).find((t) => t.name === name && (t.status === want || t.step === want)),
        `${name} ${want}`,
      ),
    /** A pause has no name of its own: the one that has begun. */
    waiting: (id: string, type = "pause") =>
      until(
        scheduler.hints,
        async () => (await read(id)).find((t) => t.type === type && t.step === "pending"),
        `a ${type} that has begun`,
      ),
    async versions(): Promise<Record<string, string>> {
      const rows = await db.sql<{ target: string; version: string }[]>`
        select s.target, v.version from app_state s join version v on v.id = s.version_id
        where s.environment_id = ${world.environmentId} order by s.target`;
      return Object.fromEntries(rows.map((row) => [row.target, row.version.replace(`-${suffix}`, "")]));
    },
    versionStatus: async (version: string) =>
      (await db.sql<{ status: string }[]>`select status from version where version = ${`${version}-${suffix}`}`)[0]!
        .status,
    verbs: () => played.map((line) => line.match(COUNT)![0]),
  };
}

it("a canary goes step by step, counting what has it already, waits, measures, and goes on in batches", async () => {
  const w = await rehearse(6);
  const id = await w.deploy("v1", {
    strategy: {
      type: "canary",
      steps: [
        { target: 1 },
        { pause: "1h" },
        { target: "50%" },
        { gate: { script: "ops/check.sh", every: "1s", for: "1s" } },
        { target: "100%", batch: 2, wait: "1s" },
      ],
    },
  });
  const wait = await w.waiting(id);
  expect([w.played, await w.versions()]).toEqual([["deploy m1 v1"], { m1: "v1" }]);

  // Paused in the middle of a step, it stays there, also when the wait is over.
  await pauseDeployment(w.deps, id, w.actor);
  await skipWait(w.deps, wait.id, w.actor, "seen enough");
  const next = await w.part(id, "m2", "pending");
  expect([next.reason.code, w.played.length]).toEqual(["task.ready", 1]);
  await resumeDeployment(w.deps, id, w.actor);

  await w.is(id, "completed");
  expect(w.played).toEqual([
    ...["deploy m1 v1", "deploy m2 v1", "deploy m3 v1", "gate v1"],
    ...["deploy m4 v1", "deploy m5 v1", "deploy m6 v1"],
  ]);
  const [skipped, between] = (await w.read(id)).filter((task) => task.type === "pause");
  expect(skipped!.reason.text).toBe("The wait was ended by tester: seen enough");
  expect([between!.name, between!.reason.code]).toEqual(["wait 1 s", "task.pause_over"]);
  expect(Object.values(await w.versions())).toEqual(Array(6).fill("v1"));
});

it("promote passes over the waits and gates ahead, in their order, and leaves the question to people", async () => {
  const w = await rehearse(4);
  const id = await w.deploy("v1", {
    strategy: {
      type: "canary",
      steps: [
        { target: 1 },
        { pause: "1h" },
        { target: 2 },
        { pause: "1h" },
        { gate: { script: "ops/check.sh", every: "1h", for: "2h" } },
        { approve: { count: 1 } },
        { target: 3 },
        { pause: "1h" },
      ],
    },
  });
  await w.waiting(id);
  await promoteDeployment(w.deps, id, w.actor, "it is urgent");
  const question = await w.waiting(id, "approval");
  expect(w.played).toEqual(["deploy m1 v1", "deploy m2 v1"]); // the gate's script was not run
  const gate = (await w.read(id)).find((task) => task.type === "gate")!;
  expect([gate.status, gate.reason.text]).toEqual(["success", "The wait was ended by tester: it is urgent"]);
  await expect(skipWait(w.deps, question.id, w.actor)).rejects.toThrow(/approve or reject it/);
  await expect(promoteDeployment(w.deps, id, w.actor)).rejects.toThrow(/nothing to promote/);
  await expect(editDeployment(w.deps, id, { strategy: { batch: 2 } }, w.actor)).rejects.toThrow(/canary steps/);
});

it("a blue-green release stands everywhere before it switches, holds the old one, and goes back by one action", async () => {
  const w = await rehearse(2);
  const first = await w.deploy("v1", { strategy: { type: "all" } });
  await w.is(first, "completed");
  w.played.length = 0;
  const strategy: StrategyInput = { type: "blueGreen", steps: [{ pause: "1s" }], hold: "1h" };
  const id = await w.deploy("v2", { strategy, hooks: { preSwitch: hook("each"), postDeploy: hook() } });
  const hold = await until(
    run!.hints,
    async () => (await w.read(id)).find((task) => task.name === "wait 3600 s" && task.step === "pending"),
    "the hold",
  );
  expect(w.played).toEqual([
    ...["prepare m1 v2", "prepare m2 v2", "preSwitch m1", "preSwitch m2"],
    ...["switch m1 v2", "switch m2 v2", "postDeploy"],
  ]);
  expect(await w.versions()).toEqual({ m1: "v2", m2: "v2" });
  await rollbackDeployment(w.deps, id, w.actor, "customers complain");
  await w.is(id, "rolled_back");
  expect(w.played.slice(7)).toEqual(["back deploy m1 v1", "back deploy m2 v1"]);
  expect(await w.versions()).toEqual({ m1: "v1", m2: "v1" });
  expect((await w.read(id)).find((task) => task.id === hold.id)!.status).toBe("skipped");

  w.played.length = 0;
  const again = await w.deploy("v3", { strategy });
  await until(
    run!.hints,
    async () => (await w.read(again)).some((task) => task.name === "wait 3600 s" && task.step === "pending"),
    "the hold of v3",
  );
  await promoteDeployment(w.deps, again, w.actor, "all is well");
  await w.is(again, "completed");
  expect(w.verbs()).toEqual(["prepare", "prepare", "switch", "switch", "finish", "finish"]);
});

it("a rolling release waits between batches and goes on past a machine that fails, as far as it tolerates", async () => {
  const w = await rehearse(3);
  const strategy: StrategyInput = {
    type: "rolling",
    batch: 1,
    wait: "1s",
    maxFailures: 1,
    onFailure: { action: "stop" },
  };
  const id = await w.deploy("v1", { strategy, mock: { failTarget: "m2" }, hooks: { preDeploy: hook("each") } });
  await w.is(id, "completed");
  expect(w.played).toEqual([
    ...["preDeploy m1", "deploy m1 v1", "preDeploy m2", "deploy m2 v1", "preDeploy m3", "deploy m3 v1"],
  ]);
  expect(await w.versions()).toEqual({ m1: "v1", m3: "v1" });
  // A hook that fails is a verdict on the release, and no machine's bad luck.
  const failing = await w.deploy("v2", {
    strategy,
    mock: { failHook: "preDeploy", failTarget: "m2" },
    hooks: { preDeploy: hook("each") },
  });
  await w.is(failing, "failed");
  expect((await w.read(failing)).find((task) => task.name === "m3")!.status).toBe("skipped");
});

it("a canary step tolerates what it says itself, not what a later one does", async () => {
  const w = await rehearse(4);
  const strategy: StrategyInput = {
    type: "canary",
    steps: [{ target: 1 }, { target: "100%", maxFailures: 1 }],
    onFailure: { action: "stop" },
  };
  const bad = await w.deploy("v1", { strategy, mock: { failTarget: "m1" } });
  await w.is(bad, "failed");
  expect(w.played).toEqual(["deploy m1 v1"]);
  const good = await w.deploy("v2", { strategy, mock: { failTarget: "m3" } });
  await w.is(good, "completed");
  expect(await w.versions()).toEqual({ m1: "v2", m2: "v2", m4: "v2" });
});

it("hooks run in their order, once or on each machine, and a failure tells before it goes back", async () => {
  const w = await rehearse(2);
  const hooks: HooksInput = {
    preDeploy: hook(),
    preSwitch: hook(),
    postDeploy: hook("each"),
    onFailure: hook(),
    onRollback: hook("each"),
  };
  const good = await w.deploy("v1", { strategy: { type: "rolling", batch: 1 }, hooks });
  await w.is(good, "completed");
  expect(w.played).toEqual([
    ...["preDeploy", "prepare m1 v1", "preSwitch", "switch m1 v1", "postDeploy m1"],
    ...["deploy m2 v1", "postDeploy m2"], // nothing lies between prepare and switch any more
  ]);

  w.played.length = 0;
  const bad = await w.deploy("v2", {
    strategy: { type: "rolling", batch: 2, onFailure: { action: "rollback" } },
    hooks,
    mock: { failHook: "preSwitch" },
  });
  await w.is(bad, "rolled_back");
  expect(w.played.slice(0, 5)).toEqual(["preDeploy", "prepare m1 v2", "prepare m2 v2", "preSwitch", "onFailure"]);
  // Prepared and not switched: the places go back all the same, so that nothing of v2 stays beside.
  expect(w.played.slice(5).toSorted()).toEqual([
    ...["back deploy m1 v1", "back deploy m2 v1", "onRollback! m1", "onRollback! m2"],
  ]);
  for (const m of ["m1", "m2"]) {
    expect(w.played.indexOf(`onRollback! ${m}`)).toBeLessThan(w.played.indexOf(`back deploy ${m} v1`));
  }
  expect([await w.versions(), await w.versionStatus("v2")]).toEqual([{ m1: "v1", m2: "v1" }, "revert"]);
  const asked = (await w.read(bad)).find((task) => task.name.startsWith("onFailure of"))!;
  expect(asked.payload).toMatchObject({ isRollback: false, timeoutSeconds: 60 });
});

it("a rollback goes on when its own hook fails, and says so; a failed deployment ends behind its onFailure hook", async () => {
  const w = await rehearse(1);
  const hooks: HooksInput = { onRollback: hook(), onFailure: hook() };
  await w.is(await w.deploy("v1", { hooks }), "completed");
  const bad = await w.deploy("v2", {
    strategy: { type: "all", onFailure: { action: "rollback" } },
    hooks,
    mock: { failHook: "onRollback", failAtStep: 1, steps: [{}] },
  });
  await w.is(bad, "rolled_back");
  expect(w.played.slice(1)).toEqual(["deploy m1 v2", "onFailure", "onRollback!", "back deploy m1 v1"]);
  const whole = (await w.read(bad)).findLast((task) => task.type === "rollback" && task.parentId === null)!;
  expect([whole.status, whole.reason.text]).toEqual([
    "success",
    "1 of 2 parts succeeded; 1 failed, which does not keep the rest from going on.",
  ]);

  w.played.length = 0;
  const stopped = await w.deploy("v3", {
    strategy: { type: "all", onFailure: { action: "stop" } },
    hooks,
    mock: { failHook: "onFailure", failAtStep: 1, steps: [{}] },
  });
  await w.is(stopped, "failed");
  expect(w.played).toEqual(["deploy m1 v3", "onFailure"]);
});

it("a gate that fails takes back what the canary has reached, on whatever scope, and marks the version", async () => {
  const w = await rehearse(3);
  await w.is(await w.deploy("v1", { strategy: { type: "all" } }), "completed");
  w.played.length = 0;
  const id = await w.deploy("v2", {
    strategy: {
      type: "canary",
      steps: [{ target: 1 }, { gate: { script: "ops/check.sh" } }],
      onFailure: { action: "rollback", scope: "target" },
    },
    mock: { failGate: 1, message: "Too many errors." },
  });
  await w.is(id, "rolled_back");
  expect(w.played).toEqual(["deploy m1 v2", "gate v2", "back deploy m1 v1"]);
  expect([await w.versions(), await w.versionStatus("v2")]).toEqual([{ m1: "v1", m2: "v1", m3: "v1" }, "revert"]);
  const [row] = await db.sql<{ reason: { text: string } }[]>`select reason from deployment where id = ${id}`;
  expect(row!.reason.text).toContain("Too many errors.");
});

it("a release that turns bad while a gate's script still measures goes back without waiting for the script", async () => {
  const w = await rehearse(2);
  await w.is(await w.deploy("v1", {}), "completed");
  w.played.length = 0;
  const id = await w.deploy("v2", {
    strategy: {
      type: "canary",
      steps: [{ target: 1 }, { gate: { script: "ops/check.sh", every: "1s", for: "1h" } }],
      onFailure: { action: "rollback" },
    },
    healthy: { watchAfter: "1h" },
    mock: { unhealthyAfter: "1s" },
  });
  await w.is(id, "rolled_back");
  expect(w.played).toEqual(["deploy m1 v2", "gate v2", "back deploy m1 v1"]);
  expect(await w.versions()).toEqual({ m1: "v1", m2: "v1" });
});
