import { reason } from "../../domain/reason.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import type { Database } from "../../db/database.ts";

export interface Seed {
  versionId: string;
  deploymentId: string;
  taskId: string;
}

/** One finished deployment of one application, written straight into the tables: for tests of what only reads. */
export async function seedFinishedDeployment(
  { sql, newId }: Database,
  { applicationId, environmentId, name, version = "v1" }: {
    applicationId: string;
    environmentId: string;
    name: string;
    version?: string;
  },
): Promise<Seed> {
  const seed = { versionId: newId(), deploymentId: newId(), taskId: newId() };
  const done = sql.json(reason("deployment.completed", { count: 1, version }) as never);
  await sql`insert into version (id, project_id, version, status, reason, builds, builds_reason, created_by)
    values (${seed.versionId}, ${DEFAULT_PROJECT}, ${version}, 'normal', ${done}, 'ready', ${done}, 'test')`;
  await sql`insert into frozen_document (sha256, content) values ('none', '{}') on conflict do nothing`;
  await sql`insert into version_app
    (version_id, application_id, project_id, changed, document_sha256, builds, builds_reason)
    values (${seed.versionId}, ${applicationId}, ${DEFAULT_PROJECT}, true, 'none', 'ready', ${done})`;
  await sql`insert into deployment (id, project_id, version_id, environment_id, status, reason, applications,
      must_in_order, plan_hash, created_by, started_at, completed_at)
    values (${seed.deploymentId}, ${DEFAULT_PROJECT}, ${seed.versionId}, ${environmentId}, 'completed', ${done},
      ${[name]}, '{}', 'hash', 'test', boreas_now(), boreas_now())`;
  const succeeded = sql.json(reason("task.succeeded", { detail: "It runs." }) as never);
  await sql`insert into task (id, project_id, deployment_id, environment_id, app_id, name, type, position, state, reason,
      is_leaf, unmet, started_at, completed_at)
    values (${seed.taskId}, ${DEFAULT_PROJECT}, ${seed.deploymentId}, ${environmentId}, ${applicationId}, ${name},
      'deploy', 1, 'success', ${succeeded}, true, 0, boreas_now(), boreas_now())`;
  await sql`insert into app_state (environment_id, application_id, target, project_id, version_id, health, sync, details)
    values (${environmentId}, ${applicationId}, '-', ${DEFAULT_PROJECT}, ${seed.versionId}, 'healthy', 'synced',
      ${sql.json({ pid: 42 })})
    on conflict (environment_id, application_id, target) do update set version_id = excluded.version_id`;
  return seed;
}
