/** Two agents, a running deployment of two tasks, and what befalls a lease there; with real SQL. */
import type { Database } from "../../db/database.ts";
import { createDeployment } from "../../db/deployments/create_deployment.ts";
import { startDeployment } from "../../db/deployments/start_deployment.ts";
import { reapTasks } from "../../db/tasks/reap_tasks.ts";
import { claim } from "./play_tasks.ts";
import { seedWorld } from "./seed_release.ts";
import type { TestDatabase } from "./test_database.ts";

export async function seedLeases(db: TestDatabase) {
  const suffix = db.newId().slice(-6);
  const world = await seedWorld(db, { applications: { [`a-${suffix}`]: {}, [`b-${suffix}`]: {} } });
  const mine = await world.agent(`mine-${suffix}`);
  const other = await world.agent(`other-${suffix}`);
  const versionId = await world.version(`v-${suffix}`);
  const deployment = await createDeployment(world.deps, { versionId, environmentId: world.environmentId }, world.actor);
  await startDeployment(world.deps, deployment, world.actor);
  return { world, mine, other, deployment };
}

export const readTask = async (db: Database, id: string) =>
  (await db.sql<{ state: string; fence: number; attempt: number; agentId: string | null; losses: number }[]>`
    select state, fence, attempt, agent_id, losses from task where id = ${id}`)[0]!;
export const expire = (db: Database, id: string) =>
  db.sql`update task set lease_expires_at = boreas_now() - interval '1 second' where id = ${id}`;
export const reap = (db: Database, graceSeconds = 0) =>
  reapTasks(db, { leaseSeconds: 30, graceSeconds, chance: () => 0 });
export const lease = (t: { id: string; fence: number; agentId: string }) => ({
  taskId: t.id,
  fence: t.fence,
  agentId: t.agentId,
});
/** The first lease ends unseen, and another agent gets the task. */
export async function reclaimed(db: Database, mine: string, other: string) {
  const [first] = await claim(db, mine, 1);
  await expire(db, first!.id);
  await reap(db);
  const again = (await claim(db, other)).find((t) => t.id === first!.id)!;
  return { first: first!, again };
}
