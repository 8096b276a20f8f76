/** An environment with applications whose past a test writes as it likes, oldest first: for tests of retention. */
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { findExpendable } from "../../db/retention/find_expendable.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import type { Database } from "../../db/database.ts";
import type { SeedWork } from "./seed_work.ts";

interface Past {
  status?: DeploymentState;
  versionId?: string;
  daysAgo?: number;
  /** application -> how its task ended */
  tasks?: Record<string, "success" | "failed" | "cancelled">;
  previous?: string;
}
export async function seedPast(db: Database, seed: SeedWork, ...names: string[]) {
  const { sql } = db;
  const environmentId = await seed.environment();
  const applications: Record<string, string> = {};
  for (const name of names) {
    applications[name] = await seed.application(`${name}-${environmentId}`, [environmentId]);
  }
  const nameOf = (short: string) => `${short}-${environmentId}`;
  const runs = async (short: string, versionId: string) =>
    await sql`insert into app_state (environment_id, application_id, target, project_id, version_id, health, sync)
      values (${environmentId}, ${applications[short]!}, '-', ${DEFAULT_PROJECT}, ${versionId}, 'healthy', 'synced')
      on conflict (environment_id, application_id, target) do update set version_id = excluded.version_id`;
  const past = async ({ status = "completed", versionId, daysAgo = 100, tasks, previous }: Past = {}) => {
    const parts = tasks ?? Object.fromEntries(names.map((n) => [n, "success" as const]));
    const { id } = await seed.deployment({
      environmentId,
      versionId,
      status,
      applications: Object.keys(parts).map(nameOf),
    });
    const taskIds: string[] = [];
    for (const [short, state] of Object.entries(parts)) {
      taskIds.push(
        await seed.task({
          deploymentId: id,
          environmentId,
          appId: applications[short],
          name: nameOf(short),
          state,
          attempt: 1,
          payload: previous ? { previous: { versionId: previous, specSha256: "none" } } : {},
        }),
      );
    }
    await sql`update deployment set completed_at = boreas_now() - make_interval(days => ${daysAgo})
      where id = ${id} and completed_at is not null`;
    return { id, taskIds };
  };
  const expendable = async (days: number, deployments = 0) =>
    (await findExpendable(db, environmentId, { days, deployments }, { after: null, limit: 500 })).ids;
  return { environmentId, past, runs, expendable };
}
