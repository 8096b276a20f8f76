import type { Reason } from "../../domain/reason.ts";
import type { AppStateItem, Version } from "../../protocol/http_api.ts";
import type { Database } from "../database.ts";
import { listStatesOfVersion } from "../environments/read_app_states.ts";
import { sayWaiting } from "./roll_up_builds.ts";
import type { WaitingParams } from "./roll_up_builds.ts";

export interface VersionFilter {
  id?: string;
  version?: string;
  commit?: string;
  repositoryId?: string;
  status?: "normal" | "revert";
  builds?: "waiting" | "ready" | "failed";
  application?: string;
  limit: number;
  after?: string;
}

/** Newest first, up to limit + 1. */
export async function listVersions(db: Database, projectId: string, filter: VersionFilter): Promise<Version[]> {
  const { id = null, version = null, commit = null, repositoryId = null, status = null, builds = null } = filter;
  const { application = null, limit, after = null } = filter;
  const rows = await db.sql<(Version & { checkedSecondsAgo: number | null })[]>`
    select v.id, v.version, v.git_tag, v.git_commit, nullif(v.repository, '') as repository, v.repository_id,
      v.description, v.status, v.builds, v.reason, v.builds_reason, v.app_builds, v.created_by, v.created_at,
      coalesce((
        select json_agg(json_build_object('id', a.id, 'name', a.name, 'changed', va.changed, 'builds', va.builds)
          order by a.name) -- as text: half the time of jsonb
        from version_app va join application a on a.id = va.application_id where va.version_id = v.id
      ), '[]') as applications,
      extract(epoch from boreas_now() - nullif(v.builds_reason -> 'params' ->> 'checkedAt', '')::timestamptz)::int
        as checked_seconds_ago
    from version v
    where v.project_id = ${projectId}
      and (${id}::uuid is null or v.id = ${id}::uuid)
      and (${version}::text is null or v.version = ${version}::text)
      and (${commit}::text is null or starts_with(v.git_commit, ${commit}::text))
      and (${repositoryId}::uuid is null or v.repository_id = ${repositoryId}::uuid)
      and (${status}::text is null or v.status = ${status}::text)
      and (${builds}::text is null or v.builds = ${builds}::text)
      and (${application}::text is null or exists (
        select 1 from version_app va join application a on a.id = va.application_id
        where va.version_id = v.id and a.name = ${application}::text))
      and (${after}::uuid is null or v.id < ${after}::uuid)
    order by v.id desc limit ${limit + 1}`;
  return rows.map(({ checkedSecondsAgo, ...row }) => ({
    ...row,
    buildsReason: freshen(row.buildsReason, checkedSecondsAgo),
  }));
}

/** "checked 12 s ago" is true at the moment it is read, not at the moment it was written. */
function freshen(said: Reason, secondsAgo: number | null): Reason {
  if (said.code !== "version.builds_waiting" || secondsAgo === null) return said;
  const { untilAt, ...params } = said.params as unknown as WaitingParams & { untilAt: string };
  return sayWaiting({ ...params, until: untilAt }, Math.max(0, secondsAgo));
}

export interface VersionStatusRow {
  deployments: { id: string; environment: string; status: string; reason: Reason }[];
  running: AppStateItem[];
}

/** Where it went and where it runs. */
export async function readVersionStatus(db: Database, projectId: string, id: string): Promise<VersionStatusRow> {
  const deployments = await db.sql<VersionStatusRow["deployments"]>`
    select d.id, e.name as environment, d.status, d.reason from deployment d join environment e on e.id = d.environment_id
    where d.version_id = ${id} and d.project_id = ${projectId} order by d.id desc limit 200`;
  const running = await listStatesOfVersion(db, projectId, id);
  return { deployments: [...deployments], running: [...running] };
}
