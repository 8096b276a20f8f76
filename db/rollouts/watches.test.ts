/** A release that is watched once it is everywhere, and what goes back when it turns bad. */
import { describe, expect, it } from "vitest";
import { claim, finish } from "../../tests/helpers/play_tasks.ts";
import { rolloutFleets } from "../../tests/helpers/rollout_fleet.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import { retryDeployment } from "../deployments/retry_deployment.ts";
import { startDeployment } from "../deployments/start_deployment.ts";
import { endPauses } from "../tasks/end_pauses.ts";
import { getTasksOfDeployment } from "../tasks/read_tasks.ts";
import { failWatches } from "./fail_watches.ts";
import { skipWait, skipWaits } from "./skip_wait.ts";

const db = await createTestDatabase();
const { fleet, offline, online, due, bad } = rolloutFleets(db);

describe("the watch over a release", () => {
  const watched = { healthy: { watchAfter: "2m" }, strategy: { type: "rolling", batch: 1, maxFailures: 1 } };
  it("begins when the release is everywhere, keeps the deployment running, and ends by its time", async () => {
    const world = await fleet(2, watched);
    const id = await world.deploy("v1");
    await world.play();
    expect(await world.shape(id)).toEqual(["m1#1 success", "m2#2 success", "watch 120 s pending"]);
    expect(await world.status(id)).toBe("running");
    const watch = (await getTasksOfDeployment(db, id)).at(-1)!;
    expect(watch.reason.text).toMatch(/^Watching order-\d+ until .*Z: a release that turns bad is taken back\.$/);
    expect((await endPauses(db)).nextInSeconds).toBeGreaterThan(60);
    await due(id);
    await endPauses(db);
    expect(await world.status(id)).toBe("completed");
  });
  it("fails when a machine turns bad: all go back, the version is marked, and nothing is tolerated", async () => {
    const world = await fleet(3, watched);
    await world.deploy("v1");
    await world.play();
    await skipWaits(
      world.deps,
      (await db.sql<{ id: string }[]>`select id from deployment where environment_id = ${world.environmentId}`)[0]!.id,
      world.actor,
    );
    const id = await world.deploy("v2");
    await world.play();
    expect(await failWatches(db, world.ids[1]!, [bad(world, "v1")])).toBe(0); // of another version
    expect(await failWatches(db, db.newId(), [bad(world, "v2")])).toBe(0); // nobody who deployed it
    expect(await failWatches(db, world.ids[1]!, [bad(world, "v2")])).toBe(1);
    expect(await failWatches(db, world.ids[1]!, [bad(world, "v2")])).toBe(0); // said again
    expect(await world.status(id)).toBe("rolling_back");
    expect((await world.play()).sort()).toEqual(["m1", "m2", "m3"]);
    const [end] = await db.sql<{ status: string; text: string; version: string }[]>`
      select d.status, d.reason ->> 'text' as text, v.status as version from deployment d join version v on v.id = d.version_id where d.id = ${id}`;
    expect([end!.status, end!.version]).toEqual(["rolled_back", "revert"]);
    expect(end!.text).toMatch(/m2-\d+ turned bad \d+ s after the switch: GET \/healthz answered 500/);
    const versionId =
      (await db.sql<{ versionId: string }[]>`select version_id from deployment where id = ${id}`)[0]!.versionId;
    await expect(createDeployment(world.deps, { versionId, environmentId: world.environmentId }, world.actor))
      .rejects.toThrow(/marked as reverted/);
  });
  it("fails before the release is everywhere, too: the machines whose turn has not come are spared", async () => {
    const world = await fleet(3, watched);
    await world.deploy("v1");
    await world.play();
    await skipWaits(
      world.deps,
      (await db.sql<{ id: string }[]>`select id from deployment where environment_id = ${world.environmentId}`)[0]!.id,
      world.actor,
    );
    const id = await world.deploy("v2");
    const [task] = await claim(db, world.ids[0]!, 1);
    await finish(db, task!, { status: "success", message: "" });
    expect(await failWatches(db, world.ids[0]!, [bad(world, "v2")])).toBe(1);
    expect((await world.shape(id)).slice(0, 4)).toEqual([
      "m1#1 success",
      "m2#2 skipped",
      "m3#3 skipped",
      "watch 120 s failed",
    ]);
    expect(await world.play()).toEqual(["m1"]);
    expect(await world.status(id)).toBe("rolled_back");
  });
  it("goes on for a machine that cannot say how it is, but not for ever", async () => {
    const world = await fleet(2, watched);
    const id = await world.deploy("v1");
    await world.play();
    await offline(world.ids[1]!, 10);
    await due(id);
    expect(await endPauses(db)).toMatchObject({ ended: 0 });
    const watch = async () => (await getTasksOfDeployment(db, id)).at(-1)!;
    expect((await watch()).reason.text).toMatch(
      /^Watching order-\d+ for m2-\d+, which cannot say how it is; until .*Z/,
    );
    await online(world.ids[1]!);
    await db.sql`update agent set updated_at = boreas_now() where id = ${world.ids[1]!}`;
    expect((await endPauses(db)).ended).toBe(0); // its first word is on the way
    await offline(world.ids[1]!, 10);
    await db.sql`update task set run_after = boreas_now() - interval '121 s' where id = ${(await watch()).id}`;
    expect((await endPauses(db)).ended).toBe(1);
    expect(await world.status(id)).toBe("completed");
  });
  it("is begun again by a retry, for its whole time", async () => {
    const world = await fleet(2, { ...watched, strategy: { type: "all", onFailure: { action: "pause" } } });
    const id = await world.deploy("v1");
    await world.play();
    await failWatches(db, world.ids[0]!, [bad(world, "v1")]);
    expect(await world.status(id)).toBe("paused");
    await retryDeployment(world.deps, id, world.actor);
    expect((await endPauses(db)).ended).toBe(0);
    expect(await world.status(id)).toBe("running");
    await skipWait(world.deps, (await getTasksOfDeployment(db, id)).at(-1)!.id, world.actor, "seen enough");
    expect(await world.status(id)).toBe("completed");
  });
  it("is a part of its own also where there is one place only", async () => {
    const world = await seedWorld(db, { applications: { alone: { healthy: { watchAfter: "1m" } } } });
    const agent = await world.agent("mock-alone");
    const versionId = await world.version("v1-alone");
    const id = await createDeployment(world.deps, { versionId, environmentId: world.environmentId }, world.actor);
    await startDeployment(world.deps, id, world.actor);
    const [task] = await claim(db, agent, 1);
    await finish(db, task!, { status: "success", message: "" });
    const report = { application: "alone", environmentId: world.environmentId, target: "mock", version: "v1-alone" };
    const seen = {
      ...report,
      health: "degraded" as const,
      resources: [],
      differences: null,
      details: { turnedBad: "x" },
    };
    expect(await failWatches(db, agent, [seen])).toBe(1);
    const [row] = await db.sql<{ status: string }[]>`select status from deployment where id = ${id}`;
    expect(row!.status).toBe("failed"); // nothing ran before, so there is nothing to go back to
  });
});

describe("a rollback's scope", () => {
  const scoped = (scope: string) => ({
    strategy: { type: "rolling", batch: 2, onFailure: { action: "rollback", scope } },
    healthy: { watchAfter: "1m" },
  });
  it.each([
    ["target", ["m3"], "normal"],
    ["batch", ["m3", "m4"], "normal"],
    ["deployment", ["m1", "m2", "m3", "m4"], "revert"],
  ])("%s: %s go back, and the version is %s", async (scope, back, mark) => {
    const world = await fleet(4, scoped(scope));
    const first = await world.deploy("v1");
    await world.play();
    await skipWaits(world.deps, first, world.actor);
    const id = await world.deploy("v2");
    await world.play();
    await failWatches(db, world.ids[2]!, [bad(world, "v2")]);
    expect((await world.play()).sort()).toEqual(back);
    expect(await world.status(id)).toBe("rolled_back");
    const [version] = await db.sql<{ status: string }[]>`
      select v.status from version v join deployment d on d.version_id = v.id where d.id = ${id}`;
    expect(version!.status).toBe(mark);
  });
  it("target: a machine that failed goes back, those that succeeded keep the release", async () => {
    const world = await fleet(4, scoped("target"));
    const first = await world.deploy("v1");
    await world.play();
    await skipWaits(world.deps, first, world.actor);
    const id = await world.deploy("v2");
    let failures = 0;
    const played = await world.play((machine) => machine === "m2" && failures++ === 0 ? "failed" : "success");
    expect(played.sort()).toEqual(["m1", "m2", "m2"]); // m3 and m4 never began
    expect(await world.status(id)).toBe("rolled_back");
    const [end] = await db.sql<{ text: string }[]>`select reason ->> 'text' as text from deployment where id = ${id}`;
    expect(end!.text).toMatch(
      /^What ran before runs again where there was trouble, and the others keep the new version/,
    );
  });
});
