import type { AppStateItem } from "../../protocol/http_api.ts";
import type { Fragment } from "../client.ts";
import type { Database } from "../database.ts";
import { staleSecrets } from "../secrets/find_stale.ts";

/** Of `app_state s`, `application a`, `version v`, `frozen_document f` and `agent g`: what is said of one place. */
const columns = ({ sql }: Database): Fragment => {
  const isStale = sql`s.target <> '-' and coalesce(g.status, 'disconnected') <> 'connected' and g.id is not null`;
  return sql`s.application_id, a.name as application, s.environment_id, s.target, s.version_id, v.version,
    case when ${isStale} then 'unknown' else s.health end as health, 
    case when ${isStale} then 'unknown' when stale.list is not null then 'out_of_sync' else s.sync end as sync,
    s.health as last_health, s.sync as last_sync, s.details, s.updated_at, s.observed_at, s.health_since, s.observed_version,
    s.resources, s.differences, s.drift || coalesce(stale.list, '[]') as drift, s.healing, coalesce(f.content::jsonb -> 'drift' ->> 'mode', 'report') as drift_mode,
    case when g.id is not null then
      jsonb_build_object('id', g.id, 'name', g.name, 'connected', g.status = 'connected', 'lastSeenAt',
        to_char(g.last_seen_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) end as agent`;
};
const tables = ({ sql }: Database): Fragment =>
  sql`app_state s
    join application a on a.id = s.application_id
    left join version v on v.id = s.version_id
    left join frozen_document f on f.sha256 = s.spec_sha256
    left join agent g on g.id = s.agent_id
    left join ${staleSecrets(sql)} stale on true`;

/** What runs where, as the last word of an agent has it; by application, then target. */
export async function listAppStates(
  db: Database,
  projectId: string,
  { environmentId, applicationId = null }: { environmentId: string; applicationId?: string | null },
): Promise<AppStateItem[]> {
  return await db.sql<AppStateItem[]>`
    select ${columns(db)} from ${tables(db)}
    where s.project_id = ${projectId} and s.environment_id = ${environmentId}
      and (${applicationId}::uuid is null or s.application_id = ${applicationId}::uuid)
    order by a.name, s.target`;
}

/** Where a version runs; by application, then target. */
export async function listStatesOfVersion(
  db: Database,
  projectId: string,
  versionId: string,
): Promise<AppStateItem[]> {
  return await db.sql<AppStateItem[]>`
    select ${columns(db)} from ${tables(db)} where s.project_id = ${projectId} and s.version_id = ${versionId}
    order by a.name, s.target`;
}
