/** What happens to the parts of a release when machines or agents are missing, and batches of releases that have hooks. */
import { beforeAll, expect, it } from "vitest";
import { claim, finish, success } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { cancelDeployment } from "../deployments/cancel_deployment.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import { editDeployment } from "../deployments/edit_deployment.ts";
import { pauseDeployment } from "../deployments/pause_deployment.ts";
import { retryDeployment } from "../deployments/retry_deployment.ts";
import { rollbackDeployment } from "../deployments/rollback_deployment.ts";
import { startDeployment } from "../deployments/start_deployment.ts";
import { claimGates } from "../gates/claim_gates.ts";
import { decideTask } from "../tasks/decide_task.ts";
import { endPauses } from "../tasks/end_pauses.ts";
import { getTasksOfDeployment } from "../tasks/read_tasks.ts";
import { endUnclaimedHooks } from "./end_unclaimed_hooks.ts";
import { promoteDeployment } from "./promote_deployment.ts";
import { settleMissing } from "./settle_missing.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
let count = 0;
const hook = { run: "ops/hook.sh" };

async function release(size: number, config: Record<string, unknown>, environmentConfig = {}) {
  const suffix = `${++count}`;
  const app = `shop-${suffix}`;
  const runtime = { script: { deploy: "d.sh" } };
  const w = await seedWorld(db, { type: "pm", applications: { [app]: { runtime, ...config } }, environmentConfig });
  const agents: string[] = [];
  for (let i = 1; i <= size; i++) agents.push(await w.agent(`s${i}-${suffix}`));
  const deploy = async (version: string) => {
    const versionId = await w.version(`${version}-${suffix}`);
    const id = await createDeployment(w.deps, { versionId, environmentId: w.environmentId }, w.actor);
    await startDeployment(w.deps, id, w.actor);
    return id;
  };
  const tasks = (id: string) => getTasksOfDeployment(db, id);
  return {
    ...w,
    agents,
    deploy,
    tasks,
    /** Parts with what they wait for, in their order, names without what tells the tests apart. */
    async parts(id: string) {
      const all = await tasks(id);
      const nameOf = (wanted: string) => all.find((t) => t.id === wanted)!.name;
      return all.filter((t) => t.parentId !== null).map((t) =>
        `${t.name} <- ${t.dependencies.map(nameOf).sort().join(" ")}`.replaceAll(`-${suffix}`, "").trim()
      );
    },
    one: async (id: string, agentId: string) => (await claim(db, agentId, 1))[0] ?? Promise.reject(new Error(id)),
    status: async (id: string) =>
      (await db.sql<{ status: string }[]>`select status from deployment where id = ${id}`)[0]!.status,
  };
}

it("batches with hooks of the deployment around them are cut anew between those hooks", async () => {
  const w = await release(4, {
    strategy: { type: "rolling", batch: 1, wait: "10s" },
    hooks: { preDeploy: hook, postDeploy: hook },
    healthy: { watchAfter: "1m" },
  });
  const id = await w.deploy("v1");
  await editDeployment(w.deps, id, { strategy: { batch: 2 } }, w.actor); // before the first hook has run
  expect(await w.parts(id)).toEqual([
    "preDeploy <-",
    ...["s1 <- preDeploy", "s2 <- preDeploy", "wait 10 s <- s1 s2", "s3 <- wait 10 s", "s4 <- wait 10 s"],
    ...["postDeploy <- s3 s4", "watch 60 s <- postDeploy"],
  ]);
  await finish(db, await w.one(id, w.agents[0]!), success);
  await finish(db, await w.one(id, w.agents[0]!), success);
  await editDeployment(w.deps, id, { strategy: { batch: 1 } }, w.actor);
  expect((await w.parts(id)).slice(2)).toEqual([
    ...["s2 <- preDeploy", "wait 10 s <- s1 s2", "s3 <- wait 10 s", "wait 10 s <- s3", "s4 <- wait 10 s"],
    ...["postDeploy <- s4", "watch 60 s <- postDeploy"],
  ]);
});

it("batches with hooks inside them stay as they were planned, and an edit says so", async () => {
  const w = await release(2, {
    strategy: { type: "rolling", batch: 1 },
    hooks: { preSwitch: { ...hook, on: "each" } },
  });
  const id = await w.deploy("v1");
  await expect(editDeployment(w.deps, id, { strategy: { batch: 2 } }, w.actor)).rejects.toThrow(/hooks of their own/);
});

it("a machine that is left out is left out of all its parts, and the others go on", async () => {
  const w = await release(2, {
    strategy: { type: "blueGreen", hold: "1h" },
    hooks: { preDeploy: { ...hook, on: "each" } },
  }, {
    offline: { action: "skip", deadline: "1s" },
  });
  await db.sql`update agent set status = 'disconnected', last_seen_at = boreas_now() - interval '1 h' where id = ${w
    .agents[1]!}`;
  const id = await w.deploy("v1");
  await db.sql`update task set state_since = boreas_now() - interval '1 h' where deployment_id = ${id}`;
  await settleMissing(db);
  const ofAway = (await w.tasks(id)).filter((t) => (t.payload.target as { id: string } | null)?.id === w.agents[1]);
  expect(ofAway.map((t) => [t.type, t.status, t.reason.code])).toEqual([
    ["hook", "skipped", "task.left_out_offline"],
    ...Array(3).fill(["apply", "skipped", "task.left_out_offline"]),
  ]);
  for (const action of ["hook", "prepare", "switch"]) {
    const task = await w.one(id, w.agents[0]!);
    expect(task.payload.action).toBe(action);
    await finish(db, task, success);
  }
  expect((await w.tasks(id)).find((t) => t.type === "pause")!.reason.code).toBe("task.paused");
});

it("a hook of a rollback that no agent takes ends, and the rollback goes on", async () => {
  const w = await release(1, {
    hooks: { onRollback: { ...hook, timeout: "90s" }, preDeploy: hook },
    strategy: { type: "all", onFailure: { action: "rollback" } },
  });
  const id = await w.deploy("v1");
  await finish(db, await w.one(id, w.agents[0]!), success);
  await finish(db, await w.one(id, w.agents[0]!), { status: "failed", message: "It broke." });
  expect(await w.status(id)).toBe("rolling_back");
  expect(await endUnclaimedHooks(db)).toBe(false);
  await db
    .sql`update task set state_since = boreas_now() - interval '91 s' where deployment_id = ${id} and state = 'pending'`;
  expect(await endUnclaimedHooks(db)).toBe(true);
  const back = await w.one(id, w.agents[0]!);
  expect(back.payload.action).toBe("remove");
  await finish(db, back, success);
  expect(await w.status(id)).toBe("rolled_back");
});

it("where only a hook has run, the rollback runs the hook that undoes it, and nothing else", async () => {
  const w = await release(1, {
    hooks: { preDeploy: hook, onRollback: hook },
    strategy: { type: "all", onFailure: { action: "rollback" } },
  });
  const id = await w.deploy("v1");
  await finish(db, await w.one(id, w.agents[0]!), { status: "failed", message: "The migration broke." });
  const undo = await w.one(id, w.agents[0]!);
  expect([undo.payload.action, undo.payload.isRollback]).toEqual(["hook", true]);
  await finish(db, undo, success);
  expect(await w.status(id)).toBe("rolled_back");
});

it("where nothing goes back, the rollback ends behind its onFailure hook", async () => {
  const w = await release(1, {
    hooks: { preDeploy: hook, onFailure: hook },
    strategy: { type: "all", onFailure: { action: "rollback" } },
  });
  const id = await w.deploy("v1");
  await finish(db, await w.one(id, w.agents[0]!), { status: "failed", message: "The migration broke." });
  expect(await w.status(id)).toBe("rolling_back");
  const told = await w.one(id, w.agents[0]!);
  expect(told.payload.hook).toMatchObject({ name: "onFailure" });
  await finish(db, told, success);
  expect(await w.status(id)).toBe("rolled_back");
});

it("a second question does not shut the onFailure hook that a rollback waits for", async () => {
  const w = await release(1, {
    hooks: { preDeploy: hook, onFailure: hook },
    strategy: { type: "all", onFailure: { action: "pause" } },
  });
  const id = await w.deploy("v1");
  await finish(db, await w.one(id, w.agents[0]!), success);
  for (let tries = 0; tries < 2; tries++) {
    const task = await w.one(id, w.agents[0]!);
    expect(task.payload.action).toBe("deploy");
    await finish(db, task, { status: "failed", message: "It broke." });
    expect(await w.status(id)).toBe("paused");
    if (tries === 0) await decideTask(w.deps, task.id, "retry", w.actor);
  }
  await rollbackDeployment(w.deps, id, w.actor);
  const told = await w.one(id, w.agents[0]!);
  expect(told.payload.hook).toMatchObject({ name: "onFailure" });
  await finish(db, told, success);
  await finish(db, await w.one(id, w.agents[0]!), success);
  expect(await w.status(id)).toBe("rolled_back");
});

it("a deployment ends with no onFailure hook still to come, whatever people did meanwhile", async () => {
  const w = await release(1, {
    hooks: { preDeploy: hook, onFailure: hook },
    strategy: { type: "all", onFailure: { action: "pause" } },
  });
  for (const end of ["completed", "cancelled"]) {
    const id = await w.deploy(`to-be-${end}`);
    await finish(db, await w.one(id, w.agents[0]!), success);
    const task = await w.one(id, w.agents[0]!);
    await finish(db, task, { status: "failed", message: "It broke." });
    if (end === "cancelled") await cancelDeployment(w.deps, id, w.actor);
    else {
      await decideTask(w.deps, task.id, "ignore", w.actor);
      await pauseDeployment(w.deps, id, w.actor);
    }
    expect(await w.status(id)).toBe(end === "cancelled" ? "cancelling" : "paused");
    await finish(db, await w.one(id, w.agents[0]!), success);
    expect(await w.status(id)).toBe(end);
  }
});

it("an onFailure hook of a machine that is away does not hold up what goes back on the others", async () => {
  const w = await release(2, {
    hooks: { onFailure: { ...hook, on: "each" } },
    strategy: { type: "all", onFailure: { action: "rollback" } },
  });
  const id = await w.deploy("v1");
  const [here, away] = [await w.one(id, w.agents[0]!), await w.one(id, w.agents[1]!)];
  await finish(db, here, success);
  await finish(db, away, { status: "failed", message: "It broke." });
  await db.sql`update agent set status = 'disconnected', last_seen_at = boreas_now() where id = ${w.agents[1]!}`;
  await finish(db, await w.one(id, w.agents[0]!), success); // its own hook
  expect(await claim(db, w.agents[0]!, 1)).toEqual([]);
  await db
    .sql`update task set state_since = boreas_now() - interval '61 s' where deployment_id = ${id} and state = 'pending'`;
  expect(await endUnclaimedHooks(db)).toBe(true);
  expect((await w.one(id, w.agents[0]!)).payload.action).toBe("remove");
});

it("a gate that was passed over beforehand is not measured when its turn comes", async () => {
  const gate = { http: "https://probe.example.com/", every: "1s" };
  const w = await release(2, { strategy: { type: "canary", steps: [{ target: 1 }, { pause: "1h" }, { gate }] } });
  const id = await w.deploy("v1");
  await finish(db, await w.one(id, w.agents[0]!), success);
  await promoteDeployment(w.deps, id, w.actor);
  const gateNow = async () => (await w.tasks(id)).find((t) => t.type === "gate")!;
  expect((await gateNow()).step).toBe("pending");
  expect((await claimGates(db, { most: 100, share: 100, held: {} })).map((claimed) => claimed.id)).not.toContain(
    (await gateNow()).id,
  );
  await endPauses(db);
  expect(await gateNow()).toMatchObject({ status: "success" });
});

it("promoting passes over a wait that is the very first step, and those behind it", async () => {
  const w = await release(2, {
    strategy: { type: "canary", steps: [{ pause: "1h" }, { target: 1 }, { pause: "1h" }] },
  });
  const id = await w.deploy("v1");
  await promoteDeployment(w.deps, id, w.actor);
  for (const agent of w.agents) {
    await finish(db, await w.one(id, agent), success);
    await endPauses(db);
  }
  expect(await w.status(id)).toBe("completed");
});

it("a wait that another application's failure cut short is made in full when the deployment is tried again", async () => {
  const suffix = `${++count}`;
  const runtime = { script: { deploy: "d.sh" } };
  const rolling = { type: "rolling", batch: 1, wait: "1h", onFailure: { action: "stop" } };
  const w = await seedWorld(db, {
    type: "pm",
    applications: { [`a-${suffix}`]: { runtime, strategy: rolling }, [`b-${suffix}`]: { runtime, strategy: rolling } },
  });
  const first = await w.agent(`w1-${suffix}`);
  await w.agent(`w2-${suffix}`);
  const versionId = await w.version(`v1-${suffix}`);
  const id = await createDeployment(w.deps, { versionId, environmentId: w.environmentId }, w.actor);
  await startDeployment(w.deps, id, w.actor);
  const [good, bad] = await claim(db, first, 2);
  await finish(db, good!, success);
  await finish(db, bad!, { status: "failed", message: "It broke." });
  await retryDeployment(w.deps, id, w.actor);
  await endPauses(db);
  const wait = (await getTasksOfDeployment(db, id)).find((t) =>
    t.type === "pause" && t.dependencies.includes(good!.id)
  )!;
  expect(wait.step).toBe("pending");
});

it("a hook that one machine may not run goes to another that can, and fails with all refusals when none can", async () => {
  const refused = (name: string) => ({
    ...{ status: "failed", code: "agent.refused" } as const,
    message: `${name} refused it: its policy allows no scripts.`,
  });
  const w = await release(3, {
    hooks: { preDeploy: hook },
    strategy: { type: "all", onFailure: { action: "stop" } },
  });
  const [a, b, c] = w.agents;
  const id = await w.deploy("v1");
  const hookOf = async () => (await w.tasks(id)).find((t) => t.type === "hook")!;
  await finish(db, await w.one(id, a!), refused("s1"));
  const moved = await hookOf();
  expect(moved).toMatchObject({ step: "pending", reason: { code: "task.moved_on" } });
  expect(moved.reason.text).toMatch(/^s1 refused it: its policy allows no scripts\. It goes to s2-/);
  expect(await claim(db, a!, 1)).toEqual([]);
  expect(await claim(db, c!, 1)).toEqual([]);
  // The one that it is meant for goes away: it is anybody's again, and no machine is left out for it.
  await db
    .sql`update agent set status = 'disconnected', last_seen_at = boreas_now() - interval '1 day' where id = ${b!}`;
  await settleMissing(db);
  await finish(db, await w.one(id, c!), success);
  expect(await hookOf()).toMatchObject({ status: "success" });

  await db.sql`update agent set status = 'connected' where id = ${b!}`;
  for (const agent of w.agents) await finish(db, await w.one(id, agent), success);
  expect(await w.status(id)).toBe("completed");
  const again = await w.deploy("v2");
  for (const agent of [a, b, c]) {
    const [task] = await claim(db, agent!, 1);
    expect(task!.payload.action).toBe("hook");
    await finish(db, task!, refused(agent!));
  }
  const failed = (await w.tasks(again)).find((t) => t.type === "hook")!;
  expect(failed).toMatchObject({ status: "failed", reason: { code: "task.nobody_can" } });
  for (const agent of w.agents) expect(failed.reason.text).toContain(`${agent} refused it`);
  // Once that is mended, a person tries it again, and whoever is free may take it.
  await retryDeployment(w.deps, again, w.actor);
  expect((await w.one(again, a!)).payload).toMatchObject({ action: "hook" });
});
