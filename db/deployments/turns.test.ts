import { beforeAll, describe, expect, it } from "vitest";
import { claim, finish, playAll, success } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import type { World } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { createDeployment } from "./create_deployment.ts";
import { startDeployment } from "./start_deployment.ts";
import { startWaiting } from "./start_waiting.ts";
import { cancelOutrun } from "./take_turns.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
let count = 0;

interface Place extends World {
  player: string;
  order: string;
  pay: string;
  /** A version of the same repository, newer than those before. */
  commit(name: string, plan?: Record<string, unknown>): Promise<string>;
  plan(versionId: string, applications?: string[], autoStart?: boolean): Promise<string>;
  status(id: string): Promise<string>;
  reason(id: string): Promise<string>;
}
async function place(policy: Record<string, unknown> = {}): Promise<Place> {
  const suffix = `t${++count}`;
  const [order, pay] = [`order-${suffix}`, `pay-${suffix}`];
  const world = await seedWorld(db, { applications: { [order]: {}, [pay]: {} }, policy });
  const player = await world.agent(`player-${suffix}`);
  const repositoryId = db.newId();
  await db
    .sql`insert into repository (id, project_id, url, provider, branch, config_paths, webhook_secret, poll_seconds, reason, created_by)
    values (${repositoryId}, ${world.actor.projectId}, ${`https://git.example.com/${suffix}.git`}, 'generic', 'main', '{boreas.yaml}', '\\x00', 0, '{}', 'test')`;
  return {
    ...world,
    player,
    order,
    pay,
    async commit(name, plan = {}) {
      const id = await world.version(`${name}-${suffix}`);
      await db.sql`update version set repository_id = ${repositoryId}, plan = ${db.sql.json(plan as never)},
        created_at = boreas_now() + make_interval(secs => ${++count}) where id = ${id}`;
      return id;
    },
    plan: (versionId, applications, autoStart = true) =>
      createDeployment(world.deps, {
        versionId,
        environmentId: world.environmentId,
        ...(applications && { applications }),
        autoStart,
      }, world.actor),
    status: async (id) =>
      (await db.sql<{ status: string }[]>`select status from deployment where id = ${id}`)[0]!.status,
    reason: async (id) =>
      (await db.sql<{ text: string }[]>`select reason ->> 'text' as text from deployment where id = ${id}`)[0]!.text,
  };
}
const SUPERSEDE = { concurrency: { policy: "supersede" } };
const CANCEL = { concurrency: { policy: "supersede", running: "cancel" } };

describe("deployments that meet", () => {
  it("queue in the order they came: one that came later does not pass one that waits for the same application", async () => {
    const world = await place();
    const first = await world.plan(await world.commit("v1"), [world.order]);
    const second = await world.plan(await world.commit("v2"), [world.order, world.pay]);
    const third = await world.plan(await world.commit("v3"), [world.pay]);
    expect([await world.status(first), await world.status(second), await world.status(third)]).toEqual([
      ...["running", "pending", "pending"],
    ]);
    expect(await world.reason(third)).toContain(second);
    await playAll(db, [world.player]);
    await startWaiting(world.deps);
    expect([await world.status(second), await world.status(third)]).toEqual(["running", "pending"]);
    await playAll(db, [world.player]);
    await startWaiting(world.deps);
    expect(await world.status(third)).toBe("running");
  });

  it("supersede: a newer version ends the older one that has not begun, and is queued behind one that has", async () => {
    const world = await place();
    const first = await world.plan(await world.commit("v1", SUPERSEDE));
    const second = await world.plan(await world.commit("v2", SUPERSEDE));
    const other = await world.plan(await world.commit("v2b", {}), [world.pay], false);
    const third = await world.plan(await world.commit("v3", SUPERSEDE), [world.order]);
    expect([await world.status(first), await world.status(second), await world.status(third)]).toEqual([
      ...["running", "superseded", "pending"],
    ]);
    expect(await world.status(other), "of other applications it stays").toBe("pending");
    expect(await world.reason(second)).toMatch(/^Replaced by v3-/);
  });

  it("supersede and cancel: the older one that runs is cancelled cleanly, then the newer starts", async () => {
    const world = await place();
    const first = await world.plan(await world.commit("v1", CANCEL));
    const [held] = await claim(db, world.player, 1);
    const second = await world.plan(await world.commit("v2", CANCEL));
    expect([await world.status(first), await world.status(second)]).toEqual(["cancelling", "pending"]);
    expect(await world.reason(first)).toMatch(/^Cancelled by newer version v2-.*; waiting for the agents/);
    await finish(db, held!, { status: "cancelled", message: "stopped" });
    await startWaiting(world.deps);
    expect([await world.status(first), await world.status(second)]).toEqual(["cancelled", "running"]);
    // An older version does not outrun a newer one.
    const older = await world.commit("v0", CANCEL);
    await db.sql`update version set created_at = boreas_now() - interval '1 d' where id = ${older}`;
    await world.plan(older);
    expect(await cancelOutrun(world.deps)).toBe(0);
    expect(await world.status(second)).toBe("running");
  });

  it("reject: a new one is refused with who is in the way, until that has ended", async () => {
    const world = await place({ concurrency: { policy: "reject" } });
    const first = await world.plan(await world.commit("v1"), [world.order]);
    const second = await world.commit("v2");
    await expect(world.plan(second)).rejects.toThrow(
      new RegExp(`${world.order} of env-\\w+ is taken by deployment ${first} of v1-\\w+ \\(running, by tester\\)`),
    );
    const other = await world.plan(second, [world.pay], false);
    const late = await world.plan(await world.commit("v3"), [world.pay], false);
    await startDeployment(world.deps, other, world.actor);
    await expect(startDeployment(world.deps, late, world.actor)).rejects.toThrow(/the concurrency policy is reject/);
    await playAll(db, [world.player]);
    await startDeployment(world.deps, late, world.actor);
    expect(await world.status(late)).toBe("running");
  });

  it("the environment's policy is the floor: a Plan that only queues does not loosen it", async () => {
    const world = await place({ concurrency: { policy: "reject" } });
    await world.plan(await world.commit("v1", { concurrency: { policy: "queue" } }));
    const second = await world.commit("v2", { concurrency: { policy: "queue" } });
    await expect(world.plan(second)).rejects.toThrow(/reject/);
    const [task] = await claim(db, world.player, 1);
    expect(await finish(db, task!, success)).toHaveLength(1);
  });
});
