import { describe, expect, it, vi } from "vitest";
import { waitingForLocks } from "../../tests/helpers/waiting_for_locks.ts";
import { claim, finish } from "../../tests/helpers/play_tasks.ts";
import { rolloutFleets } from "../../tests/helpers/rollout_fleet.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import { editDeployment } from "../deployments/edit_deployment.ts";
import { startDeployment } from "../deployments/start_deployment.ts";
import { cancelTask } from "../tasks/cancel_task.ts";
import { endPauses } from "../tasks/end_pauses.ts";
import { getTasksOfDeployment } from "../tasks/read_tasks.ts";
import { catchUp } from "./catch_up.ts";
import { failWatches } from "./fail_watches.ts";
import { settleMissing } from "./settle_missing.ts";
import { skipWaits } from "./skip_wait.ts";

const db = await createTestDatabase();
const { fleet, offline, online, due, waited, bad } = rolloutFleets(db);

describe("a batch size that is edited while the deployment runs", () => {
  const rolling = { strategy: { type: "rolling", batch: 2, wait: "5s" }, healthy: { watchAfter: "10s" } };
  it("cuts anew what has not begun, and leaves what runs and what is over", async () => {
    const world = await fleet(6, rolling);
    const id = await world.deploy("v1");
    const [task] = await claim(db, world.ids[0]!, 1);
    await editDeployment(world.deps, id, { strategy: { batch: 3 } }, world.actor);
    expect(await world.shape(id)).toEqual([
      ...["m1#1 running", "m2#1 pending", "wait 5 s blocked", "m3#2 blocked", "m4#2 blocked", "m5#2 blocked"],
      ...["wait 5 s blocked", "m6#3 blocked", "watch 10 s blocked"],
    ]);
    await finish(db, task!, { status: "success", message: "" });
    expect(await world.play()).toEqual(["m2"]);
    // Now the wait runs: it stands, and all that is left comes behind it at once.
    await editDeployment(world.deps, id, { strategy: { batch: "100%" } }, world.actor);
    expect((await world.shape(id)).slice(2)).toEqual([
      ...["wait 5 s pending", "m3#2 blocked", "m4#2 blocked", "m5#2 blocked", "m6#2 blocked", "watch 10 s blocked"],
    ]);
    await due(id);
    await endPauses(db);
    expect(await world.play()).toEqual(["m3", "m4", "m5", "m6"]);
    expect(await world.status(id)).toBe("running");
    await due(id);
    await endPauses(db);
    expect(await world.status(id)).toBe("completed");
    const audit = await db.sql<
      { action: string }[]
    >`select action from audit where target = ${`deployment:${id}`} order by id`;
    expect(audit.map((row) => row.action).filter((a) => a === "deployment.edit")).toHaveLength(2);
  });
  it("moves what comes behind the application, and its order holds", async () => {
    const world = await seedWorld(db, {
      type: "pm",
      applications: {
        "a-first": { runtime: { script: { deploy: "d.sh" } }, strategy: { type: "rolling", batch: 2, wait: "1s" } },
        "b-second": {
          runtime: { script: { deploy: "d.sh" } },
          needs: ["a-first"],
          strategy: { type: "rolling", batch: 1 },
        },
      },
    });
    for (let i = 1; i <= 4; i++) await world.agent(`x${i}-order`);
    const versionId = await world.version("v1-order");
    const id = await createDeployment(world.deps, { versionId, environmentId: world.environmentId }, world.actor);
    await startDeployment(world.deps, id, world.actor);
    await editDeployment(world.deps, id, { strategy: { batch: 1 } }, world.actor);
    const tasks = await getTasksOfDeployment(db, id);
    expect(tasks.map((t) => t.name.replace("-order", ""))).toEqual([
      ...["a-first", "x1", "x2", "wait 1 s", "x3", "wait 1 s", "x4", "b-second", "x1", "x2", "x3", "x4"],
    ]);
    const second = tasks.find((t) => t.name === "b-second")!;
    const parts = tasks.filter((t) => t.parentId === second.id);
    expect(parts[0]!.dependencies).toEqual([tasks[0]!.id]);
    expect(parts.slice(1).map((t) => t.dependencies)).toEqual(parts.slice(0, 3).map((t) => [t.id]));
  });
  it("leaves an application as it is in which a turn was called off: it still comes to its end", async () => {
    const world = await fleet(4, { strategy: { type: "rolling", batch: 1, wait: "5s" } });
    const id = await world.deploy("v1");
    const third = (await getTasksOfDeployment(db, id)).find((t) => t.name === world.names[2])!;
    await cancelTask(world.deps, third.id, world.actor);
    await expect(editDeployment(world.deps, id, { strategy: { batch: 2 } }, world.actor)).rejects.toThrow(/cancelled/);
    expect(await world.play()).toEqual(["m1"]);
    await skipWaits(world.deps, id, world.actor);
    expect(await world.play()).toEqual(["m2"]);
    await skipWaits(world.deps, id, world.actor);
    expect(await world.status(id)).toBe("cancelled");
  });
  it("is refused when nothing of it can change any more, and nothing else can be edited", async () => {
    const world = await fleet(2, rolling);
    const id = await world.deploy("v1");
    await expect(editDeployment(world.deps, id, { mustInOrder: [world.app] }, world.actor)).rejects.toThrow(
      /only the batch/,
    );
    await expect(editDeployment(world.deps, id, { strategy: { batch: 1 } }, world.actor)).rejects.toThrow(/has begun/);
    const all = await fleet(2, {});
    const other = await all.deploy("v1");
    await expect(editDeployment(all.deps, other, { strategy: { batch: 1 } }, all.actor)).rejects.toThrow(
      /goes in batches/,
    );
  });
});

describe("a machine that is away at its turn", () => {
  const batches = { strategy: { type: "rolling", batch: 1 } };
  it("is waited for, visibly, and fails at its deadline; what already switched goes back", async () => {
    const world = await fleet(3, batches);
    const first = await world.deploy("v1");
    await world.play();
    expect(await world.status(first)).toBe("completed");
    const id = await world.deploy("v2");
    await offline(world.ids[1]!, 60);
    expect(await world.play()).toEqual(["m1"]);
    await waited(id, 50);
    await settleMissing(db);
    const waits = (await getTasksOfDeployment(db, id)).find((t) => t.name === world.names[1])!;
    expect(waits.reason.text).toMatch(/^Waiting for m2-\d+, offline since .*Z; gives up at .*Z\.$/);
    await offline(world.ids[1]!, 901);
    await waited(id, 901);
    await settleMissing(db);
    expect(await world.status(id)).toBe("rolling_back");
    expect(await world.shape(id)).toEqual([
      ...["m1#1 success", "m2#2 failed", "m3#3 skipped"],
      `back order-${world.app.replace("order-", "")} pending`.replace(/-\d+ pending/, " pending"),
    ]);
    expect(await world.play()).toEqual(["m1"]);
    expect(await world.status(id)).toBe("rolled_back");
  });
  it("is ready again like any other when it comes back in time", async () => {
    const world = await fleet(2, batches);
    const id = await world.deploy("v1");
    await offline(world.ids[0]!, 60);
    await waited(id, 50);
    await settleMissing(db);
    await online(world.ids[0]!);
    await settleMissing(db);
    expect((await getTasksOfDeployment(db, id))[1]!.reason.code).toBe("task.ready");
    expect(await world.play()).toEqual(["m1", "m2"]);
    expect(await world.status(id)).toBe("completed");
  });
  it("is not given up when it came back while its end waited for the deployment", async () => {
    const world = await fleet(2, batches, { offline: { action: "skip", deadline: "10s" } });
    const id = await world.deploy("v1");
    await offline(world.ids[0]!, 60);
    await waited(id, 11);
    let settling: Promise<boolean> | undefined;
    await db.sql.begin(async (tx) => {
      await tx`select from deployment where id = ${id} for update`;
      settling = settleMissing(db);
      await vi.waitFor(async () => expect(await waitingForLocks(db)).toBeGreaterThan(0), { timeout: 30_000 });
      await online(world.ids[0]!);
    });
    await settling;
    expect(await world.shape(id)).toEqual(["m1#1 pending", "m2#2 blocked"]);
    expect(await world.play()).toEqual(["m1", "m2"]);
  });
  it("is skipped when the environment says so, and catches up when it is back", async () => {
    const world = await fleet(3, batches, { offline: { action: "skip", deadline: "10s" } });
    const id = await world.deploy("v1");
    await offline(world.ids[1]!, 60);
    expect(await world.play()).toEqual(["m1"]);
    await waited(id, 11);
    await settleMissing(db);
    expect(await world.play()).toEqual(["m3"]);
    expect(await world.shape(id)).toEqual(["m1#1 success", "m2#2 skipped", "m3#3 success"]);
    const [done] = await db.sql<
      { status: string; text: string }[]
    >`select status, reason ->> 'text' as text from deployment where id = ${id}`;
    expect([done!.status, done!.text]).toEqual(["completed", expect.stringContaining(`left out: ${world.names[1]}`)]);
    expect(await catchUp(world.deps)).toBe(0); // still away
    await online(world.ids[1]!);
    expect(await catchUp(world.deps)).toBe(1);
    expect(await catchUp(world.deps)).toBe(0);
    const [small] = await db.sql<
      { id: string; status: string }[]
    >`select id, status from deployment where environment_id = ${world.environmentId} and id <> ${id}`;
    expect(small!.status).toBe("running");
    const [event] = await db.sql<{ text: string }[]>`
      select data -> 'reason' ->> 'text' as text from event where deployment_id = ${
      small!.id
    } and kind = 'deployment.created'`;
    expect(event!.text).toContain(`${world.names[1]} is back; it gets version v1`);
    expect(await world.play()).toEqual(["m2"]);
    expect(await world.status(small!.id)).toBe("completed");
  });
  it("fails what could not reach those that come behind it, and names both", async () => {
    const runtime = { script: { deploy: "d.sh" } };
    const world = await seedWorld(db, {
      type: "pm",
      applications: {
        base: { runtime, nodes: { names: ["m-base"] } },
        behind: { runtime, nodes: { names: ["m-behind"] } },
      },
      environmentConfig: { offline: { action: "skip", deadline: "0s" } },
    });
    const away = await world.agent("m-base");
    await world.agent("m-behind");
    await offline(away, 60);
    const versionId = await world.version("stranded");
    const wish = { versionId, environmentId: world.environmentId, mustInOrder: ["base", "behind"] };
    const id = await createDeployment(world.deps, wish, world.actor);
    await startDeployment(world.deps, id, world.actor);
    await db.sql`update agent set updated_at = boreas_now() - interval '1 h' where id = ${away}`;
    await waited(id, 60);
    await settleMissing(db);
    const [ended] = await db.sql`select status, reason ->> 'text' as text from deployment where id = ${id}`;
    expect(ended).toEqual({
      status: "failed",
      text: expect.stringContaining("behind did not get this version: every machine of base, which comes first,"),
    });
  });
  it("does not catch up on what is not the newest there any more, or was reverted", async () => {
    const world = await fleet(2, { strategy: { type: "all" } }, { offline: { action: "skip", deadline: "0s" } });
    await offline(world.ids[1]!, 60);
    const first = await world.deploy("v1");
    await world.play();
    await settleMissing(db);
    expect(await world.status(first)).toBe("completed");
    const second = await world.deploy("v2");
    await world.play();
    await settleMissing(db);
    expect(await world.status(second)).toBe("completed");
    await db
      .sql`update version set status = 'revert' where id = (select version_id from deployment where id = ${second})`;
    await online(world.ids[1]!);
    expect(await catchUp(world.deps)).toBe(0);
    const rows = await db.sql<{ declined: string }[]>`select payload ->> 'declined' as declined from task
      where deployment_id in (${first}, ${second}) and payload ? 'missed' order by deployment_id`;
    expect(rows.map((row) => row.declined)).toEqual([
      "a later version was deployed meanwhile",
      expect.stringContaining("was reverted"),
    ]);
  });
  it("is not skipped in a rollback, which must not leave a bad release behind in silence", async () => {
    const world = await fleet(2, { strategy: { type: "all" }, healthy: { watchAfter: "1m" } }, {
      offline: { action: "skip", deadline: "5s" },
    });
    const first = await world.deploy("v1");
    await world.play();
    await skipWaits(world.deps, first, world.actor);
    const id = await world.deploy("v2");
    await world.play();
    await db.sql`update agent set cordoned = true where id = ${world.ids[0]!}`;
    await failWatches(db, world.ids[1]!, [bad(world, "v2")]);
    expect(await world.play()).toEqual(["m2"]);
    const wayBack = async () =>
      (await getTasksOfDeployment(db, id)).find((t) => t.type === "rollback" && t.name === world.names[0])!;
    await waited(id, 3);
    await settleMissing(db);
    expect((await wayBack()).reason.text).toMatch(/^Waiting for m1-\d+, which is cordoned; uncordon it before .*Z/);
    await db.sql`update agent set cordoned = false where id = ${world.ids[0]!}`;
    await offline(world.ids[0]!, 60);
    await waited(id, 6);
    await settleMissing(db);
    expect(await world.status(id)).toBe("rollback_failed");
    expect((await wayBack()).reason.text).toMatch(/^m1-\d+ was offline since .* and did not come back in time\.$/);
  });
  it("fails at once when it is revoked, and is left out when it is cordoned meanwhile", async () => {
    const world = await fleet(3, { strategy: { type: "all", maxFailures: 1 } });
    const id = await world.deploy("v1");
    await db.sql`update agent set status = 'revoked' where id = ${world.ids[0]!}`;
    await db.sql`update agent set cordoned = true where id = ${world.ids[1]!}`;
    await settleMissing(db);
    await world.play();
    expect(await world.shape(id)).toEqual(["m1#1 failed", "m2#1 skipped", "m3#1 success"]);
    expect(await world.status(id)).toBe("completed");
  });
});

describe("a cordoned machine", () => {
  it("stands in the plan as left out, and catches up when it is uncordoned", async () => {
    const world = await fleet(2, {});
    await db.sql`update agent set cordoned = true where id = ${world.ids[1]!}`;
    const id = await world.deploy("v1");
    expect(await world.shape(id)).toEqual(["m1#1 pending", "m2 skipped"]);
    expect((await getTasksOfDeployment(db, id))[2]!.reason.text).toMatch(/^Left out: m2-\d+ is cordoned\./);
    await world.play();
    expect(await world.status(id)).toBe("completed");
    expect(await catchUp(world.deps)).toBe(0);
    await db.sql`update agent set cordoned = false where id = ${world.ids[1]!}`;
    expect(await catchUp(world.deps)).toBe(1);
    expect(await world.play()).toEqual(["m2"]);
  });
});
