import type { Database } from "../database.ts";

export interface BindingRow {
  environmentId: string;
  environment: string;
  config: Record<string, unknown>;
  removedAt: string | null;
}

/** By the environment's name; of one environment when it is given. */
export async function listBindings(
  db: Database,
  projectId: string,
  applicationId: string,
  environmentId?: string,
): Promise<BindingRow[]> {
  return await db.sql<BindingRow[]>`
    select b.environment_id, e.name as environment, b.config, b.removed_at
    from application_environment b join environment e on e.id = b.environment_id
    where b.project_id = ${projectId} and b.application_id = ${applicationId}
      and (${environmentId ?? null}::uuid is null or b.environment_id = ${environmentId ?? null}::uuid)
    order by e.name`;
}
