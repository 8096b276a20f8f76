/** Versions that a trigger may choose from, and how those that were deployed somewhere do there. */
import type { Candidate } from "../../domain/choose_version.ts";
import { parseRef } from "../../domain/git_ref.ts";
import type { Stay } from "../../domain/judge_soak.ts";
import type { Database } from "../database.ts";

/** Read at once. */
export const CANDIDATES = 100;

export async function readClock(db: Database): Promise<number> {
  const [row] = await db.sql<{ now: number }[]>`select extract(epoch from boreas_now())::float8 as now`;
  return row!.now;
}

/** Newest first: the newest of all, or of those that are older than `before`. */
export async function readCandidates(
  db: Database,
  projectId: string,
  of: { repositoryId: string | null; name?: string; verifiedIn?: string },
  before: string | null = null,
): Promise<Candidate[]> {
  const { sql } = db;
  const name = of.name ?? null;
  const rows = await sql<
    { id: string; version: string; seenRef: string | null; status: string; said: string; deploymentId: string | null }[]
  >`
    select v.id, v.version, v.seen_ref, v.status, v.reason ->> 'text' as said, d.id as deployment_id
    from version v left join lateral (
      select x.id from deployment x join environment e on e.id = x.environment_id
      where x.version_id = v.id and e.project_id = ${projectId} and e.name = ${of.verifiedIn ?? null}::text
        and x.status = 'completed' and x.only_targets is null and not x.removes order by x.id desc limit 1) d on true
    where v.project_id = ${projectId} and (${of.repositoryId}::uuid is null or v.repository_id = ${of.repositoryId}::uuid)
      and (${name}::text is null or v.version = ${name}::text or v.id::text = ${name}::text)
      and (${before}::uuid is null or v.id < ${before}::uuid)
    order by v.id desc limit ${CANDIDATES}`;
  const stays = await readStays(db, rows.flatMap((row) => row.deploymentId ?? []));
  return rows.map((row) => ({
    id: row.id,
    version: row.version,
    ref: row.seenRef === null ? null : parseRef(row.seenRef) ?? null,
    reverted: row.status === "revert" ? row.said : null,
    stay: row.deploymentId === null ? null : stays.get(row.deploymentId) ?? null,
  }));
}

/** How the versions of these deployments do in the environments they went to. */
export async function readStays(db: Database, deploymentIds: readonly string[]): Promise<Map<string, Stay>> {
  if (deploymentIds.length === 0) return new Map();
  const rows = await db.sql<(Stay & { id: string })[]>`
    select d.id, e.name as environment, v.version, case when v.status = 'revert' then v.reason ->> 'text' end as reverted,
      d.status, extract(epoch from d.completed_at)::float8 as completed_at, d.applications,
      (select nv.version from deployment n join version nv on nv.id = n.version_id
        where n.environment_id = d.environment_id and n.id > d.id and n.version_id <> d.version_id
          and n.applications && d.applications and n.started_at is not null and n.status <> 'rolled_back'
        order by n.id desc limit 1) as replaced_by,
      coalesce((select jsonb_agg(jsonb_build_object('application', a.name, 'target', s.target, 'health', s.health,
          'since', extract(epoch from s.health_since)::float8))
        from app_state s join application a on a.id = s.application_id
        where s.environment_id = d.environment_id and s.version_id = d.version_id and a.name = any(d.applications)), '[]') as places
    from deployment d join environment e on e.id = d.environment_id join version v on v.id = d.version_id
    where d.id = any(${deploymentIds as string[]}::uuid[])`;
  return new Map(rows.map(({ id, ...stay }) => [id, stay]));
}
