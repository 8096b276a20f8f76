import { beforeAll, describe, expect, it } from "vitest";
import { claim, failure, finish, playAll } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import type { World, WorldOptions } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import type { Actor } from "../database.ts";
import { approveDeployment } from "../deployments/approve_deployment.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import { retryDeployment } from "../deployments/retry_deployment.ts";
import { rollbackDeployment } from "../deployments/rollback_deployment.ts";
import { startDeployment } from "../deployments/start_deployment.ts";
import { startWaiting } from "../deployments/start_waiting.ts";
import { updateEnvironment } from "../environments/update_environment.ts";
import { createFreeze } from "./create_freeze.ts";
import { endFreeze } from "./end_freeze.ts";
import { findFrozenById } from "./find_frozen.ts";
import { listFreezes } from "./list_freezes.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase({ max: 1 }); // its clock is set for the session
});

const setClock = (at: string) => db.sql`select set_config('boreas.now', ${at}, false)`;
const SATURDAY = "2030-06-15T12:00:00Z";
const MONDAY = "2030-06-17T09:00:00Z";
/** From Friday 18:00 to Monday 08:00. */
const WEEKEND = { cron: "0 18 * * 5", for: "62h", override: { role: "incident" } };
let count = 0;

async function seed(options: Partial<WorldOptions> = {}): Promise<
  World & { player: string; order: string; read(id: string): Promise<{ status: string; code: string; text: string }> }
> {
  await setClock(SATURDAY);
  const suffix = `f${++count}`;
  const world = await seedWorld(db, {
    applications: { [`order-${suffix}`]: { strategy: { type: "all", onFailure: { action: "rollback" } } } },
    policy: { freezes: [WEEKEND] },
    ...options,
  });
  const player = await world.agent(`player-${suffix}`);
  return {
    ...world,
    player,
    order: `order-${suffix}`,
    version: (name, more) => world.version(`${name}-${suffix}`, more),
    read: async (id) =>
      (await db.sql<{ status: string; code: string; text: string }[]>`
        select status, reason ->> 'code' as code, reason ->> 'text' as text from deployment where id = ${id}`)[0]!,
  };
}
const deploy = async (world: World, version = "v1", more: { autoStart?: boolean; manualApproval?: boolean } = {}) =>
  await createDeployment(
    world.deps,
    { versionId: await world.version(version), environmentId: world.environmentId, ...more },
    world.actor,
  );
const as = (world: World, role: string): Actor => ({ ...world.actor, name: role, role, base: "deployer" });

describe("an environment that is frozen", () => {
  it("holds back what would start, says until when, and starts it by itself afterwards", async () => {
    const world = await seed();
    const id = await deploy(world);
    await startDeployment(world.deps, id, world.actor);
    const held = await world.read(id);
    expect(held.status).toBe("pending");
    expect(held.text).toMatch(
      /^Frozen until 2030-06-17T08:00:00Z: the policy of env-\w+ \(0 18 \* \* 5 for 62h\)\. It starts by itself then; incident may start it before, with a reason\.$/,
    );
    await startWaiting(world.deps);
    const events = await db.sql`select 1 from event where deployment_id = ${id} and kind = 'deployment.pending'`;
    expect(events, "said once, however often it is looked at").toHaveLength(1);
    await setClock(MONDAY);
    await startWaiting(world.deps);
    expect(await world.read(id)).toMatchObject({ status: "running", code: "deployment.started" });
  });

  it("does not start what nobody wanted to start", async () => {
    const world = await seed();
    const id = await deploy(world);
    await setClock(MONDAY);
    await startWaiting(world.deps);
    expect(await world.read(id)).toMatchObject({ status: "pending", code: "deployment.created" });
  });

  it("lets the named role start something with a reason, which is in the audit; no other, and not without", async () => {
    const world = await seed();
    const id = await deploy(world);
    const start = (role: string, reason: string) => startDeployment(world.deps, id, as(world, role), "", { reason });
    await expect(start("deployer", "please")).rejects.toThrow(/incident may start it before.*Your role is deployer/);
    await expect(start("incident", " ")).rejects.toThrow(/Say why/);
    expect((await world.read(id)).status).toBe("pending");
    await start("incident", "Orders are lost.");
    expect(await world.read(id)).toMatchObject({
      status: "running",
      text: "Started by incident in spite of a freeze: Orders are lost.",
    });
    const [audit] = await db
      .sql`select actor, detail from audit where action = 'deployment.override_freeze' and target = ${`deployment:${id}`}`;
    expect(audit).toMatchObject({
      actor: "incident",
      detail: { reason: "Orders are lost.", until: "2030-06-17T08:00:00Z", freezes: [expect.stringContaining("62h")] },
    });
  });

  it("keeps the word of who overrode it until its approvals are there, and no longer than that freeze", async () => {
    const world = await seed();
    const id = await deploy(world, "v1", { manualApproval: true });
    await startDeployment(world.deps, id, as(world, "incident"), "", { reason: "Hurry." });
    expect((await world.read(id)).status).toBe("awaiting_approval");
    await approveDeployment(world.deps, id, world.actor);
    expect(await world.read(id)).toMatchObject({ status: "running", code: "deployment.started_in_freeze" });
    const later = await deploy(world, "v2", { manualApproval: true });
    await startDeployment(world.deps, later, as(world, "incident"), "", { reason: "Hurry." });
    await playAll(db, [world.player]);
    await setClock("2030-06-22T12:00:00Z"); // the next weekend
    await approveDeployment(world.deps, later, world.actor);
    expect(await world.read(later)).toMatchObject({ status: "pending", code: "deployment.frozen" });
  });

  it("holds it back for a freeze that came after that word", async () => {
    const world = await seed({ policy: {} });
    const by = (name: string, overrideRole?: string) =>
      createFreeze(
        world.deps,
        { environmentId: world.environmentId, until: MONDAY, reason: "Quiet.", overrideRole },
        as(world, name),
      );
    await by("incident", "incident");
    const id = await deploy(world, "v1", { manualApproval: true });
    await startDeployment(world.deps, id, as(world, "incident"), "", { reason: "Hurry." });
    const later = await by("boss");
    await approveDeployment(world.deps, id, world.actor);
    expect(await world.read(id)).toMatchObject({ status: "pending", code: "deployment.frozen" });
    await endFreeze(world.deps, later, "Enough.", world.actor);
    await startWaiting(world.deps);
    expect(await world.read(id)).toMatchObject({ status: "running", code: "deployment.started_in_freeze" });
  });

  it("never holds back a rollback, but does hold back a retry of what has ended", async () => {
    const world = await seed();
    await setClock("2030-06-14T17:00:00Z");
    const first = await deploy(world);
    await startDeployment(world.deps, first, world.actor);
    await playAll(db, [world.player]);
    const second = await deploy(world, "v2");
    await startDeployment(world.deps, second, world.actor);
    const [task] = await claim(db, world.player);
    await setClock(SATURDAY);
    await finish(db, task!, failure());
    await playAll(db, [world.player]);
    expect((await world.read(second)).status).toBe("rolled_back");
    await rollbackDeployment(world.deps, first, world.actor);
    expect((await world.read(first)).status).toBe("rolling_back");
    const stopped = await seed({
      applications: { "stops-here": { strategy: { type: "all", onFailure: { action: "stop" } } } },
    });
    await setClock("2030-06-14T17:00:00Z");
    const failed = await deploy(stopped);
    await startDeployment(stopped.deps, failed, stopped.actor);
    await playAll(db, [stopped.player], () => failure());
    await setClock(SATURDAY);
    await expect(retryDeployment(stopped.deps, failed, stopped.actor)).rejects.toThrow(
      /is frozen until 2030-06-17T08:00/,
    );
  });

  it("is frozen by the Plan's windows too, and the policy's stay whatever the Plan says", async () => {
    const world = await seed({ policy: {} });
    const [environment] = await db.sql`select name from environment where id = ${world.environmentId}`;
    const versionId = await world.version("planned");
    const freeze = [{ environment: environment!.name, ...WEEKEND }, { environment: "elsewhere", ...WEEKEND }];
    await db.sql`update version set plan = ${db.sql.json({ freeze } as never)} where id = ${versionId}`;
    const id = await createDeployment(
      world.deps,
      { versionId, environmentId: world.environmentId, autoStart: true },
      world.actor,
    );
    expect((await world.read(id)).text).toContain("the Plan (0 18 * * 5 for 62h)");
    const listed = await listFreezes(db, world.actor.projectId, world.environmentId);
    expect(listed).toMatchObject([{
      source: "plan",
      isActive: true,
      until: "2030-06-17T08:00:00.000Z",
      overrideRole: "incident",
    }]);
  });

  it("holds back its own applications only, when it names some", async () => {
    const world = await seed({ policy: { freezes: [{ ...WEEKEND, applications: ["pay"] }] } });
    const id = await deploy(world, "v1", { autoStart: true });
    expect((await world.read(id)).status).toBe("running");
    expect(await findFrozenById(db.sql, world.environmentId, [world.order])).toBeUndefined();
    expect(await findFrozenById(db.sql, world.environmentId, ["pay"])).toBeDefined();
  });

  it("lets go as soon as its policy no longer freezes", async () => {
    const world = await seed();
    const id = await deploy(world, "v1", { autoStart: true });
    expect((await world.read(id)).code).toBe("deployment.frozen");
    await updateEnvironment(world.deps, world.environmentId, { policy: {} }, world.actor);
    await startWaiting(world.deps);
    expect((await world.read(id)).status).toBe("running");
  });

  it("does not pass over a window that cannot be read", async () => {
    const world = await seed({ policy: { freezes: [{ cron: "often", for: "1h" }] } });
    const id = await deploy(world);
    await expect(startDeployment(world.deps, id, world.actor)).rejects.toThrow(
      /cannot be read: "often" is no cron time/,
    );
  });
});

describe("a freeze by hand", () => {
  const UNTIL = "2030-06-20T00:00:00Z";
  const freeze = (world: World, more = {}, who = world.actor) =>
    createFreeze(
      world.deps,
      { environmentId: world.environmentId, until: UNTIL, reason: "Stocktaking.", ...more },
      who,
    );

  it("holds back until its end, or until somebody who may ends it", async () => {
    const world = await seed({ policy: {} });
    const freezeId = await freeze(world, { overrideRole: "incident" }, as(world, "lead"));
    const id = await deploy(world, "v1", { autoStart: true });
    expect((await world.read(id)).text).toContain("Frozen until 2030-06-20T00:00:00Z: lead: Stocktaking.");
    await expect(endFreeze(world.deps, freezeId, "bored", as(world, "other"))).rejects.toThrow(
      /only they, the role incident, or an admin/,
    );
    await endFreeze(world.deps, freezeId, "Counted.", as(world, "lead"));
    await startWaiting(world.deps);
    expect((await world.read(id)).status).toBe("running");
    await expect(endFreeze(world.deps, freezeId, "again", world.actor)).rejects.toThrow(/over already/);
    const audit = await db.sql<
      { action: string }[]
    >`select action from audit where target = ${`environment:${world.environmentId}`} order by id`;
    expect(audit.map((row) => row.action)).toEqual(["freeze.create", "freeze.end"]);
  });
  it("that a token made is not ended by another's token of the same name", async () => {
    const world = await seed({ policy: {} });
    const give = async (name: string): Promise<Actor> => {
      const userId = db.newId();
      await db.sql`insert into app_user (id, username, password_hash) values (${userId}, ${`u${userId}`}, '')`;
      await db.sql`insert into api_token (id, project_id, user_id, name, hash, role, created_at)
        values (${db.newId()}, ${world.actor.projectId}, ${userId}, ${name}, ${userId}, 'deployer', boreas_now())`;
      return { ...world.actor, userId, name: `token:${name}`, role: "deployer" };
    };
    const maker = await give(`ci-${count}`);
    const [first, second] = [await freeze(world, {}, maker), await freeze(world, {}, maker)];
    await setClock("2030-06-15T12:00:01Z");
    const other = await give(`ci-${count}`);
    await expect(endFreeze(world.deps, first, "bored", other)).rejects.toThrow(/only they, or an admin/);
    await endFreeze(world.deps, first, "Counted.", maker);
    await endFreeze(world.deps, second, "Counted.", maker);
  });
  it("is listed while it lasts, and ends by its time", async () => {
    const world = await seed();
    const freezeId = await freeze(world, { applications: [world.order] });
    const list = () => listFreezes(db, world.actor.projectId, world.environmentId);
    expect((await list()).map(({ id, source, isActive, cron }) => ({ id, source, isActive, cron }))).toEqual([
      { id: freezeId, source: "person", isActive: true, cron: null },
      { id: null, source: "policy", isActive: true, cron: "0 18 * * 5" },
    ]);
    await setClock("2030-06-20T00:00:00Z");
    expect((await list()).map(({ source, isActive, from }) => ({ source, isActive, from }))).toEqual([
      { source: "policy", isActive: false, from: "2030-06-21T18:00:00.000Z" },
    ]);
  });
  it("that would be over already is refused", async () => {
    const world = await seed();
    await expect(freeze(world, { until: "2030-06-15T11:00:00Z" })).rejects.toThrow(/not in the future/);
  });
});
