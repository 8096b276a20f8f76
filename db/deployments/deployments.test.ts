import { beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import { claim, failure, finish, playAll, success } from "../../tests/helpers/play_tasks.ts";
import { cancelTask } from "../tasks/cancel_task.ts";
import { createDeployment } from "./create_deployment.ts";
import { startDeployment } from "./start_deployment.ts";
import { rollbackDeployment } from "./rollback_deployment.ts";
import { cancelDeployment } from "./cancel_deployment.ts";
import { retryDeployment } from "./retry_deployment.ts";
import { pauseDeployment, resumeDeployment } from "./pause_deployment.ts";
import { approveDeployment, rejectDeployment } from "./approve_deployment.ts";
import { editDeployment } from "./edit_deployment.ts";
import { settleBuilds } from "./settle_builds.ts";
import { startWaiting } from "./start_waiting.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

const read = async (id: string) =>
  (await db.sql<
    { status: string; reason: { code: string; text: string }; errorMessage: string | null }[]
  >`select status, reason, error_message from deployment where id = ${id}`)[0]!;
const states = async (id: string) =>
  Object.fromEntries(
    (await db.sql<
      { name: string; state: string }[]
    >`select name, state from task where deployment_id = ${id} and not is_rollback`).map((t) => [t.name, t.state]),
  );
const versionStatus = async (id: string) =>
  (await db.sql<{ status: string }[]>`select status from version where id = ${id}`)[0]!.status;

async function world(
  applications: Record<string, Record<string, unknown>>,
  more: { policy?: Record<string, unknown> } = {},
) {
  // Names are unique per project, so each test has its own.
  const prefix = db.newId().slice(-6);
  const renamed = Object.fromEntries(
    Object.entries(applications).map(([name, config]) => [
      `${name}-${prefix}`,
      config.needs ? { ...config, needs: (config.needs as string[]).map((n) => `${n}-${prefix}`) } : config,
    ]),
  );
  const w = await seedWorld(db, { applications: renamed, ...more });
  const player = await w.agent(`player-${prefix}`);
  const n = (name: string) => `${name}-${prefix}`;
  const strip = (steps: { name: string }[]) => steps.map((s) => s.name.replace(`-${prefix}`, ""));
  const deploy = async (version: string, input: Record<string, unknown> = {}) => {
    const versionId = await w.version(`${version}-${prefix}`);
    const id = await createDeployment(w.deps, { versionId, environmentId: w.environmentId, ...input }, w.actor);
    return { id, versionId };
  };
  return { ...w, player, n, strip, deploy };
}

describe("a deployment", () => {
  it("runs applications in the declared order and completes", async () => {
    const w = await world({ user: {}, order: {}, payment: {} });
    const { id } = await w.deploy("v1", { mustInOrder: [w.n("payment"), w.n("order"), w.n("user")] });
    expect((await read(id)).reason.code).toBe("deployment.created");
    await startDeployment(w.deps, id, w.actor);
    expect(w.strip(await playAll(db, [w.player]))).toEqual(["payment", "order", "user"]);
    expect(await read(id)).toMatchObject({ status: "completed", reason: { code: "deployment.completed" } });
  });

  it("opens a dependent in the transaction that ends what it waits for", async () => {
    const w = await world({ user: {}, order: { needs: ["user"] } });
    const { id } = await w.deploy("v1");
    await startDeployment(w.deps, id, w.actor);
    const first = await claim(db, w.player);
    expect(w.strip(first)).toEqual(["user"]);
    expect(await claim(db, w.player)).toEqual([]);
    await finish(db, first[0]!, success);
    expect(w.strip(await claim(db, w.player))).toEqual(["order"]);
  });

  it("hands nothing out before it is started", async () => {
    const w = await world({ user: {} });
    await w.deploy("v1");
    expect(await claim(db, w.player)).toEqual([]);
  });

  it("stops on a failure when nothing ran before, skips dependents, and says why", async () => {
    const w = await world({ user: {}, order: { needs: ["user"] } });
    const { id, versionId } = await w.deploy("v1");
    await startDeployment(w.deps, id, w.actor);
    await playAll(db, [w.player], () => failure("The disk is full."));
    expect(await read(id)).toMatchObject({ status: "failed", errorMessage: "The disk is full." });
    expect(await states(id)).toEqual({ [w.n("user")]: "failed", [w.n("order")]: "skipped" });
    expect(await versionStatus(versionId)).toBe("normal");
  });

  it("goes back to what ran before, in reverse order, and marks the version", async () => {
    const w = await world({ user: {}, order: {}, payment: {} });
    const order = { mustInOrder: [w.n("user"), w.n("order"), w.n("payment")] };
    const v1 = await w.deploy("v1", order);
    await startDeployment(w.deps, v1.id, w.actor);
    await playAll(db, [w.player]);
    const v2 = await w.deploy("v2", order);
    await startDeployment(w.deps, v2.id, w.actor);
    const steps = await playAll(
      db,
      [w.player],
      (t) => t.name === w.n("payment") && !t.payload.isRollback ? failure("unhealthy") : success,
    );
    expect(w.strip(steps)).toEqual(["user", "order", "payment", "payment", "order", "user"]);
    expect(steps.slice(3).every((s) => s.isRollback && s.version.startsWith("v1"))).toBe(true);
    expect(await read(v2.id)).toMatchObject({ status: "rolled_back" });
    expect(await versionStatus(v2.versionId)).toBe("revert");
    const running = await db.sql<
      { versionId: string }[]
    >`select version_id from app_state where environment_id = ${w.environmentId}`;
    expect(running.map((r) => r.versionId)).toEqual([v1.versionId, v1.versionId, v1.versionId]);
  });

  it("does not mark a version that failed over itself: it is what one goes back to", async () => {
    const w = await world({ user: {} });
    const v1 = await w.deploy("v1");
    await startDeployment(w.deps, v1.id, w.actor);
    await playAll(db, [w.player]);
    const input = { versionId: v1.versionId, environmentId: w.environmentId, applications: [w.n("user")] };
    const again = await createDeployment(w.deps, input, w.actor);
    await startDeployment(w.deps, again, w.actor);
    await playAll(db, [w.player], (t) => (t.payload.isRollback ? success : failure()));
    expect((await read(again)).status).toBe("rolled_back");
    expect(await versionStatus(v1.versionId)).toBe("normal");
  });

  it("sends byte-identical specs when it rolls back", async () => {
    const w = await world({ user: { mock: { steps: [{ log: ["one"] }] } } });
    const v1 = await w.deploy("v1");
    await startDeployment(w.deps, v1.id, w.actor);
    const [first] = await claim(db, w.player);
    await finish(db, first!, success);
    const v2 = await w.deploy("v2");
    await startDeployment(w.deps, v2.id, w.actor);
    await playAll(db, [w.player]);
    await rollbackDeployment(w.deps, v2.id, w.actor, "too slow");
    const [back] = await claim(db, w.player);
    expect(back!.specSha256).toBe(first!.specSha256);
    expect(back!.payload).toMatchObject({ isRollback: true, versionId: v1.versionId });
    expect((back!.payload.generation as number) > (first!.payload.generation as number)).toBe(true);
  });

  it("removes what it started when nothing ran before and a rollback is asked for", async () => {
    const w = await world({ user: { strategy: { type: "all", onFailure: { action: "rollback" } } } });
    const { id } = await w.deploy("v1");
    await startDeployment(w.deps, id, w.actor);
    const steps = await playAll(db, [w.player], (t) => t.payload.isRollback ? success : failure());
    expect(steps.map((s) => s.action)).toEqual(["deploy", "remove"]);
    expect((await read(id)).status).toBe("rolled_back");
  });

  it("ends as rollback_failed, never as running, when the way back fails", async () => {
    const w = await world({ user: { strategy: { type: "all", onFailure: { action: "rollback" } } } });
    const { id } = await w.deploy("v1");
    await startDeployment(w.deps, id, w.actor);
    for (let i = 0; i < 10 && !(await read(id)).status.startsWith("rollback"); i++) {
      await db.sql`update task set run_after = boreas_now() where deployment_id = ${id}`;
      await playAll(db, [w.player], () => failure("no way"));
    }
    expect(await read(id)).toMatchObject({
      status: "rollback_failed",
      errorMessage: "Failed after 3 attempts, last: no way",
    });
  });

  it("pauses on a failure when asked to, and goes on after a retry", async () => {
    const w = await world({
      user: { strategy: { type: "all", onFailure: { action: "pause" } } },
      order: { needs: ["user"] },
    });
    const { id } = await w.deploy("v1");
    await startDeployment(w.deps, id, w.actor);
    await playAll(db, [w.player], () => failure("flaky"));
    expect(await read(id)).toMatchObject({ status: "paused", reason: { code: "deployment.paused_on_failure" } });
    expect((await states(id))[w.n("order")]).toBe("blocked");
    await retryDeployment(w.deps, id, w.actor);
    expect(w.strip(await playAll(db, [w.player]))).toEqual(["user", "order"]);
    expect((await read(id)).status).toBe("completed");
  });

  it("lets independent applications go on after a failure when told to continue", async () => {
    const w = await world({
      user: { strategy: { type: "all", onFailure: { action: "continue" } } },
      order: { needs: ["user"] },
      web: {},
    });
    const { id } = await w.deploy("v1", { mustInOrder: [] });
    await startDeployment(w.deps, id, w.actor);
    await playAll(db, [w.player], (t) => t.name === w.n("user") ? failure() : success);
    expect(await states(id)).toEqual({ [w.n("user")]: "failed", [w.n("order")]: "skipped", [w.n("web")]: "success" });
    expect((await read(id)).status).toBe("failed");
  });

  it("pauses and resumes: what runs goes on, nothing new is claimed", async () => {
    const w = await world({ user: {}, order: { needs: ["user"] } });
    const { id } = await w.deploy("v1");
    await startDeployment(w.deps, id, w.actor);
    const [user] = await claim(db, w.player);
    await pauseDeployment(w.deps, id, w.actor);
    await finish(db, user!, success);
    expect(await claim(db, w.player)).toEqual([]);
    await resumeDeployment(w.deps, id, w.actor);
    expect(w.strip(await playAll(db, [w.player]))).toEqual(["order"]);
    expect((await read(id)).status).toBe("completed");
  });

  it("waits for the agent's word before it is cancelled", async () => {
    const w = await world({ user: {}, order: { needs: ["user"] } });
    const { id } = await w.deploy("v1");
    await startDeployment(w.deps, id, w.actor);
    const [user] = await claim(db, w.player);
    await cancelDeployment(w.deps, id, w.actor);
    expect((await read(id)).status).toBe("cancelling");
    expect(await states(id)).toEqual({ [w.n("user")]: "cancelling", [w.n("order")]: "cancelled" });
    await finish(db, user!, { status: "cancelled", message: "Stopped." });
    expect((await read(id)).status).toBe("cancelled");
  });

  it("keeps one running deployment per application and environment, and starts the next when the way is free", async () => {
    const w = await world({ user: {} });
    const first = await w.deploy("v1");
    await startDeployment(w.deps, first.id, w.actor);
    const second = await w.deploy("v2");
    await startDeployment(w.deps, second.id, w.actor);
    expect(await read(second.id)).toMatchObject({ status: "pending", reason: { code: "deployment.queued" } });
    await playAll(db, [w.player]);
    await startWaiting(w.deps);
    expect((await read(second.id)).status).toBe("running");
  });

  it("waits for an approval, and an edit of the plan voids the one that was given", async () => {
    const w = await world({ user: {}, order: {} }, { policy: { approvals: { count: 2 } } });
    const { id } = await w.deploy("v1");
    expect((await read(id)).status).toBe("awaiting_approval");
    await approveDeployment(w.deps, id, w.actor);
    expect((await read(id)).reason.text).toBe("Waiting for 1 of 2 approvals.");
    await editDeployment(w.deps, id, { mustInOrder: [w.n("order"), w.n("user")] }, w.actor);
    expect((await read(id)).reason.text).toBe(
      "The plan has changed, so what was approved counts no more. Waiting for 2 of 2 approvals.",
    );
    const other = { ...w.actor, userId: db.newId(), name: "other" };
    await db.sql`insert into app_user (id, username, password_hash) values (${other.userId}, ${other.userId}, 'none')`;
    await approveDeployment(w.deps, id, w.actor);
    await approveDeployment(w.deps, id, other);
    expect((await read(id)).status).toBe("running");
  });

  it("completes when its last work ends well while it is paused", async () => {
    const w = await world({ user: {} });
    const { id } = await w.deploy("v1");
    await startDeployment(w.deps, id, w.actor);
    const [user] = await claim(db, w.player);
    await pauseDeployment(w.deps, id, w.actor);
    expect(await finish(db, user!, success)).toEqual([user!.id]);
    expect((await read(id)).status).toBe("completed");
  });

  it("ends at once when its only task was cancelled before the start, and leaves no lock", async () => {
    const w = await world({ user: {} });
    const { id } = await w.deploy("v1");
    const [task] = await db.sql<{ id: string }[]>`select id from task where deployment_id = ${id}`;
    await cancelTask(w.deps, task!.id, w.actor);
    await startDeployment(w.deps, id, w.actor);
    expect((await read(id)).status).toBe("cancelled");
    expect(await db.sql`select 1 from deployment_lock where deployment_id = ${id}`).toEqual([]);
  });

  it("can be rolled back once more when the first rollback failed in a part of it", async () => {
    const w = await world({ user: {}, order: {} });
    const v1 = await w.deploy("v1");
    await startDeployment(w.deps, v1.id, w.actor);
    await playAll(db, [w.player]);
    const v2 = await w.deploy("v2");
    await startDeployment(w.deps, v2.id, w.actor);
    await playAll(db, [w.player]);
    await rollbackDeployment(w.deps, v2.id, w.actor);
    for (let i = 0; i < 4; i++) {
      await db.sql`update task set run_after = boreas_now() where deployment_id = ${v2.id}`;
      await playAll(db, [w.player], (t) => t.name === w.n("user") ? failure() : success);
    }
    expect((await read(v2.id)).status).toBe("rollback_failed");
    await rollbackDeployment(w.deps, v2.id, w.actor);
    await playAll(db, [w.player]);
    expect((await read(v2.id)).status).toBe("rolled_back");
  });

  it("is neither tried again nor rolled back over a later one", async () => {
    const w = await world({ user: { strategy: { type: "all", onFailure: { action: "stop" } } } });
    const first = await w.deploy("v1");
    await startDeployment(w.deps, first.id, w.actor);
    await playAll(db, [w.player], () => failure());
    const second = await w.deploy("v2");
    await startDeployment(w.deps, second.id, w.actor);
    await playAll(db, [w.player]);
    await expect(retryDeployment(w.deps, first.id, w.actor)).rejects.toThrow(/has been started since/);
    await expect(rollbackDeployment(w.deps, first.id, w.actor)).rejects.toThrow(/from a later deployment/);
    expect((await read(first.id)).status).toBe("failed");
  });

  it("starts by itself when its artifacts come after its approvals", async () => {
    const w = await world({ user: {} }, { policy: { approvals: { count: 1 } } });
    const versionId = await w.version(`late-${w.n("v")}`, { builds: "waiting" });
    const input = { versionId, environmentId: w.environmentId };
    const id = await createDeployment(w.deps, input, w.actor);
    await approveDeployment(w.deps, id, w.actor);
    expect(await read(id)).toMatchObject({ status: "pending", reason: { code: "deployment.waiting_for_builds" } });
    await db.sql`update version set builds = 'ready' where id = ${versionId}`;
    await settleBuilds(w.deps, versionId);
    expect((await read(id)).status).toBe("running");
  });

  it("fails when its artifacts do not come while it waits for more approvals", async () => {
    const w = await world({ user: {} }, { policy: { approvals: { count: 2 } } });
    const versionId = await w.version(`late-${w.n("v")}`, { builds: "waiting" });
    const input = { versionId, environmentId: w.environmentId };
    const id = await createDeployment(w.deps, input, w.actor);
    await approveDeployment(w.deps, id, w.actor);
    expect((await read(id)).status).toBe("awaiting_approval");
    await db.sql`update version set builds = 'failed' where id = ${versionId}`;
    await settleBuilds(w.deps, versionId);
    expect((await read(id)).status).toBe("failed");
  });

  it("leaves no task waiting when it ends before it began", async () => {
    const w = await world({ user: {}, order: { needs: ["user"] } }, { policy: { approvals: { count: 1 } } });
    const { id } = await w.deploy("v1");
    await rejectDeployment(w.deps, id, w.actor, "not today");
    expect(await states(id)).toEqual({ [w.n("user")]: "skipped", [w.n("order")]: "skipped" });
  });

  it("that stopped amid an application's machines brings the rest with a retry, before it says that it is done", async () => {
    const suffix = db.newId().slice(-6);
    const config = { runtime: { script: { deploy: "d.sh" } }, strategy: { type: "rolling", batch: 1 } };
    const w = await seedWorld(db, { type: "pm", applications: { [`a-${suffix}`]: config, [`b-${suffix}`]: config } });
    const machines = [await w.agent(`m1-${suffix}`), await w.agent(`m2-${suffix}`)];
    const versionId = await w.version(`v-${suffix}`);
    const input = {
      versionId,
      environmentId: w.environmentId,
      strategy: { ...config.strategy, onFailure: { action: "stop" } },
    };
    const id = await createDeployment(w.deps, input as never, w.actor);
    await startDeployment(w.deps, id, w.actor);
    const [good, bad] = await claim(db, machines[0]!);
    await finish(db, good!, success);
    await finish(db, bad!, failure());
    const wholes = async () =>
      (await db.sql<
        { state: string }[]
      >`select state from task where deployment_id = ${id} and parent_id is null order by position`)
        .map((t) => t.state);
    expect([(await read(id)).status, await wholes()]).toEqual(["failed", ["skipped", "failed"]]);

    await retryDeployment(w.deps, id, w.actor);
    expect(await wholes()).toEqual(["running", "pending"]);
    await playAll(db, machines);
    expect([(await read(id)).status, await wholes()]).toEqual(["completed", ["success", "success"]]);
    expect((await db.sql`select 1 from app_state where version_id = ${versionId}`).length).toBe(4);
  });

  it("that was cancelled remembers who did it first", async () => {
    const w = await world({ user: {} });
    const { id } = await w.deploy("v1");
    await cancelDeployment(w.deps, id, w.actor);
    const before = await read(id);
    await cancelDeployment(w.deps, id, { ...w.actor, name: "somebody else" });
    expect(await read(id)).toEqual(before);
  });

  it("refuses a cycle by name and keeps nothing", async () => {
    const w = await world({ user: { needs: ["order"] }, order: { needs: ["user"] } });
    await expect(w.deploy("v1")).rejects.toThrow(/circle: .*user.*order|circle: .*order.*user/);
    const [row] = await db.sql<
      { n: number }[]
    >`select count(*)::int as n from deployment where environment_id = ${w.environmentId}`;
    expect(row!.n).toBe(0);
  });
});
