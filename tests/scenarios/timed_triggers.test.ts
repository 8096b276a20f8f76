/** Triggers that wait for time to go by: a promotion for its soak, the clock for its tick. Real Git, real PostgreSQL. */
import { beforeAll, describe, expect, it } from "vitest";
import { rollbackDeployment } from "../../db/deployments/rollback_deployment.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import type { TestDatabase } from "../helpers/test_database.ts";
import { createTriggerWorld } from "../helpers/trigger_world.ts";
import { deployments, last, PROMOTE, said, STAGE } from "./support/trigger_runs.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

describe("a promotion", () => {
  it("fires for the version that has stayed well for its time, once, and says what it waits for until then", async () => {
    const w = await createTriggerWorld(db, [STAGE, PROMOTE]);
    const version = await w.push("1");
    await w.carryOut("staging");
    await w.look();
    expect(await last(w, "promote")).toMatchObject({
      outcome: "waiting",
      text: expect.stringMatching(new RegExp(`^${version} has to stay well on staging until `)),
    });
    await w.pass(29 * 60);
    await w.look();
    expect((await last(w, "promote")).outcome).toBe("waiting");
    await w.pass(61);
    await w.look();
    await w.look();
    expect(await said(w, "promote")).toEqual([["promote", "fired", `Made a deployment of ${version} to prod.`]]);
    expect(await deployments(w)).toEqual([`${version} staging completed`, `${version} prod running`]);
  });

  it("does not fire when the version was rolled back during its soak, nor for the rollback", async () => {
    const w = await createTriggerWorld(db, [STAGE, PROMOTE]);
    await w.push("1");
    await w.carryOut("staging");
    const bad = await w.push("2");
    await w.carryOut("staging");
    await w.look();
    const [row] = await db.sql<{ id: string }[]>`
      select d.id from deployment d join version v on v.id = d.version_id
      where d.project_id = ${w.projectId} and v.version = ${bad}`;
    await rollbackDeployment(w.deps, row!.id, w.actor, "It loses orders.");
    await w.play();
    await w.pass(3600);
    await w.look();
    expect(await last(w, "promote")).toMatchObject({
      outcome: "not_fired",
      version: bad,
      text: expect.stringMatching(/marked revert|ended as rolled back/),
    });
    expect((await deployments(w)).some((d) => d.startsWith(`${bad} prod`))).toBe(false);
  });

  it("begins its time anew when the version was not well in between, and does not fire when another one replaced it", async () => {
    const w = await createTriggerWorld(db, [STAGE, PROMOTE]);
    const first = await w.push("1");
    await w.carryOut("staging");
    await w.look();
    await w.pass(29 * 60);
    await db
      .sql`update app_state set health = 'degraded', health_since = boreas_now() where project_id = ${w.projectId}`;
    await w.pass(120);
    await w.look();
    expect((await last(w, "promote")).text).toBe(
      "order is degraded on staging; the time begins anew when it is well.",
    );
    await db
      .sql`update app_state set health = 'healthy', health_since = boreas_now() where project_id = ${w.projectId}`;
    await w.pass(61);
    await w.look();
    expect((await last(w, "promote")).text).toMatch(/has to stay well on staging until/);
    const second = await w.push("2");
    await w.carryOut("staging");
    await w.pass(29 * 60);
    await w.look();
    expect((await w.runs("promote")).map((r) => [r.version, r.outcome, r.text])).toEqual([
      [first, "not_fired", `${second} has gone to staging since ${first}.`],
      [second, "waiting", expect.stringMatching(/has to stay well/)],
    ]);
  });

  it("says why nothing follows a deployment that failed", async () => {
    const w = await createTriggerWorld(db, [STAGE, PROMOTE]);
    const version = await w.push("1");
    await w.play(() => ({ status: "failed", message: "It broke." }));
    await w.look();
    expect(await said(w, "promote")).toEqual([
      ["promote", "not_fired", `The deployment of ${version} to staging ended as failed.`],
    ]);
  });
});

describe("the clock", () => {
  const NIGHT =
    'on: cron, name: night, at: "0 3 * * *", tz: Asia/Shanghai, environment: prod, version: "latest-verified:staging", start: auto';

  it("deploys the newest version that is verified, and has nothing to do the next time", async () => {
    const w = await createTriggerWorld(db, [STAGE, NIGHT]);
    const good = await w.push("1");
    await w.due("night");
    await w.look();
    expect((await last(w, "night")).text).toBe("No version has been deployed to staging.");
    await w.carryOut("staging");
    await w.due("night");
    await w.look();
    expect(await last(w, "night")).toMatchObject({ outcome: "fired", version: good });
    await w.carryOut("prod");
    await w.due("night");
    await w.look();
    expect((await last(w, "night")).text).toBe(`Nothing to do: prod runs ${good} already.`);
    const next = await w.push("2"); // goes to staging, and has not completed there
    await w.due("night");
    await w.look();
    expect((await last(w, "night")).text).toBe(`${next} has gone to staging since ${good}.`);
  });

  it("ticks once, however many masters look at the same time", async () => {
    const w = await createTriggerWorld(db, [
      // Far from its next time: another tick that comes meanwhile would be one more.
      'on: cron, name: often, at: "0 3 1 1 *", environment: prod, start: manual',
    ]);
    const version = await w.push("1");
    await w.due("often");
    await Promise.all(Array.from({ length: 6 }, () => w.look()));
    expect((await w.runs("often")).length).toBe(1);
    expect(await deployments(w)).toEqual([`${version} prod pending`]);
    // The guard itself: the same instant cannot be written twice.
    await expect(db.sql`
      insert into trigger_run (id, project_id, trigger_id, trigger, environment, event, outcome, reason, due_at, actor)
      select ${db.newId()}, project_id, trigger_id, trigger, environment, event, outcome, reason, due_at, actor
      from trigger_run where project_id = ${w.projectId} and event = 'cron'`).rejects.toThrow(/trigger_run_tick/);
  });

  it("goes on for the others when one has a time that nobody can read", async () => {
    const w = await createTriggerWorld(db, [
      'on: cron, name: broken, at: "0 1 * * *", environment: prod',
      'on: cron, name: sound, at: "0 2 * * *", environment: prod',
    ]);
    await w.push("1");
    await db.sql`update trigger set rule = '{"at": "often"}' where project_id = ${w.projectId} and name = 'broken'`;
    await Promise.all([w.due("broken"), w.due("sound")]);
    await w.look();
    expect((await last(w, "broken")).text).toMatch(/^"often" is no cron time/);
    expect((await last(w, "sound")).outcome).toBe("fired");
  });

  it.each([["skip", 0], ["run_once", 1]])(
    "%s: of ticks that were missed while no master was up, it runs %i",
    async (missed, count) => {
      const w = await createTriggerWorld(db, [
        `on: cron, name: hourly, at: "0 * * * *", missed: ${missed}, environment: prod, start: manual`,
      ]);
      await w.push("1");
      await db.sql`update trigger set next_due_at = date_trunc('hour', boreas_now() - interval '5 hours')
      where project_id = ${w.projectId}`;
      // So that this test does not run in the first minute of an hour.
      await db.sql`update trigger set rule = rule || jsonb_build_object('at',
      extract(minute from boreas_now() - interval '10 minutes')::int || ' * * * *') where project_id = ${w.projectId}`;
      await w.look();
      await w.look();
      expect((await w.runs("hourly")).map((r) => r.outcome)).toEqual([count === 1 ? "fired" : "not_fired"]);
      if (count === 0) expect((await last(w, "hourly")).text).toMatch(/^No master was up at .*; set missed: run_once/);
      const [{ ahead }] = await db.sql<[{ ahead: boolean }]>`
      select next_due_at > boreas_now() as ahead from trigger where project_id = ${w.projectId}`;
      expect(ahead).toBe(true);
    },
  );
});
