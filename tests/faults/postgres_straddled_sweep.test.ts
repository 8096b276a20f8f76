/**
 * F11: a sweep has seen that a lease ran out; before it acts, the task completes (or the other way round). A row lock
 * holds both at the border, so that they really straddle it.
 */
import { beforeAll, describe, expect } from "vitest";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { reapTasks } from "../../db/tasks/reap_tasks.ts";
import { claim, finish, success } from "../helpers/play_tasks.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import type { World } from "../helpers/seed_release.ts";
import { createTestDatabase } from "../helpers/test_database.ts";
import { waitingForLocks } from "../helpers/waiting_for_locks.ts";
import type { TestDatabase } from "../helpers/test_database.ts";
import { expectSound, readHistory } from "./support/history.ts";
import { race } from "./support/races.ts";

describe("a sweep that straddles a completion", () => {
  let db: TestDatabase;
  let world: World;
  let agentId: string;
  beforeAll(async () => {
    db = await createTestDatabase();
    world = await seedWorld(db, { applications: { app: {} } });
    agentId = await world.agent("worker");
  });

  race("F11: never takes back what was accepted, and never accepts what was taken back", 20, async (seed, random) => {
    const id = await createDeployment(world.deps, {
      versionId: await world.version(`v${seed}-${db.newId().slice(-6)}`),
      environmentId: world.environmentId,
    }, world.actor);
    await startDeployment(world.deps, id, world.actor);
    const [task] = await claim(db, agentId);
    await db.sql`update task set lease_expires_at = boreas_now() - interval '1 second' where id = ${task!.id}`;

    const holder = await db.sql.reserve();
    await holder`begin`;
    if (random() < 0.5) await holder`select 1 from deployment where id = ${id} for update`;
    else await holder`select 1 from task where id = ${task!.id} for update`;
    const waiting = () => waitingForLocks(db);
    const sweep = () => reapTasks(db, { leaseSeconds: 30, graceSeconds: 0, chance: () => 0.5 });
    const complete = () => finish(db, task!, success);
    let swept: Promise<number>;
    let completed: Promise<string[]>;
    if (random() < 0.5) {
      swept = sweep();
      await expect.poll(waiting).toBe(1); // it has read that the lease is over, and waits for the row
      completed = complete();
    } else {
      completed = complete();
      await expect.poll(waiting).toBe(1);
      swept = sweep();
    }
    await expect.poll(waiting).toBe(2);
    await holder`commit`;
    holder.release();

    const [lost, accepted] = await Promise.all([swept, completed]);
    const [row] = await db.sql<{ state: string; attempt: number }[]>`
      select state, attempt from task where id = ${task!.id}`;
    expect(lost + accepted.length).toBe(1);
    expect(row).toEqual({ state: accepted.length === 1 ? "success" : "pending", attempt: 1 });
    // What was taken back is done again; what was accepted stays.
    const again = await claim(db, agentId);
    expect(again).toHaveLength(lost);
    for (const next of again) expect(await finish(db, next, success)).toEqual([next.id]);
    expect(await sweep()).toBe(0);
    expectSound(await readHistory(db.sql, [id]));
  }, { quick: 6 });
});
