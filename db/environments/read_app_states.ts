import type { AppStateItem } from "../../protocol/http_api.ts";
import type { Database } from "../database.ts";

/** What runs where, as the last word of an agent has it; by application, then target. */
export async function listAppStates(
  db: Database,
  projectId: string,
  { environmentId, applicationId = null }: { environmentId: string; applicationId?: string | null },
): Promise<AppStateItem[]> {
  return await db.sql<AppStateItem[]>`
    select s.application_id, a.name as application, s.environment_id, s.target, s.version_id, v.version,
      s.health, s.sync, s.details, s.updated_at
    from app_state s
    join application a on a.id = s.application_id
    left join version v on v.id = s.version_id
    where s.project_id = ${projectId} and s.environment_id = ${environmentId}
      and (${applicationId}::uuid is null or s.application_id = ${applicationId}::uuid)
    order by a.name, s.target`;
}
