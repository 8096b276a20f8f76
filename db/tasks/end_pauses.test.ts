/** Waits between batches end by the clock, once, and not when somebody was quicker. */
import { beforeAll, expect, it } from "vitest";
import { reason } from "../../domain/reason.ts";
import { waitingForLocks } from "../../tests/helpers/waiting_for_locks.ts";
import { claim, finish, success } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import { startDeployment } from "../deployments/start_deployment.ts";
import { endPauses } from "./end_pauses.ts";
import { cancelTasks } from "./stop_tasks.ts";

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});

/** Of two machines the first has the release; the pause before the second is under way. */
async function betweenBatches() {
  const suffix = db.newId().slice(-6);
  const w = await seedWorld(db, {
    type: "pm",
    applications: {
      [`r-${suffix}`]: { runtime: { script: { deploy: "d.sh" } }, strategy: { type: "rolling", batch: 1, wait: "1h" } },
    },
  });
  const agents = [await w.agent(`m1-${suffix}`), await w.agent(`m2-${suffix}`)];
  const id = await createDeployment(w.deps, {
    versionId: await w.version(`v-${suffix}`),
    environmentId: w.environmentId,
  }, w.actor);
  await startDeployment(w.deps, id, w.actor);
  const claimAll = async () => (await Promise.all(agents.map((a) => claim(db, a)))).flat();
  const [first] = await claimAll();
  await finish(db, first!, success);
  expect(await claimAll()).toEqual([]);
  const letItBeDue = () =>
    db.sql`update task set run_after = boreas_now() where deployment_id = ${id} and type = 'pause'`;
  return { id, w, claimAll, letItBeDue };
}

it("a wait between batches ends when its time has come, not before", async () => {
  const { id, claimAll, letItBeDue } = await betweenBatches();
  const before = await endPauses(db);
  expect(before.ended).toBe(0);
  expect(before.nextInSeconds).toBeGreaterThan(3000);
  await letItBeDue();
  expect((await endPauses(db)).ended).toBe(1);
  const [second] = await claimAll();
  await finish(db, second!, success);
  const [row] = await db.sql<{ status: string }[]>`select status from deployment where id = ${id}`;
  expect(row!.status).toBe("completed");
});

it("a wait that is cancelled while its end waits for the row stays cancelled, and nothing goes on behind it", async () => {
  const { id, claimAll, letItBeDue } = await betweenBatches();
  await letItBeDue();
  let ending: ReturnType<typeof endPauses> | undefined;
  await db.sql.begin(async (tx) => {
    await tx`select 1 from deployment where id = ${id} for update`;
    ending = endPauses(db);
    // It has seen that the wait is due and stands before the deployment's row; only now is it cancelled.
    await expect.poll(() => waitingForLocks(db)).toBe(1);
    await cancelTasks(tx, id, reason("task.cancelled", { detail: "Ada cancelled it." }));
  });
  await ending;
  const states = await db.sql<{ state: string }[]>`
    select state from task where deployment_id = ${id} and (type = 'pause' or is_leaf) order by position`;
  expect(states.map((t) => t.state)).toEqual(["success", "cancelled", "cancelled"]);
  expect(await claimAll()).toEqual([]);
});
