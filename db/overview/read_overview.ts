/** The first page: how much there is, what runs where, what is under way. */
import type { Overview } from "../../protocol/http_api.ts";
import type { Database } from "../database.ts";
import { getDeployments } from "../deployments/read_deployments.ts";

const RECENT_DEPLOYMENTS = 10;
const OPEN_DEPLOYMENTS = 40;

export async function readOverview(db: Database, projectId: string): Promise<Overview> {
  const { sql } = db;
  const [counts, environments, applications, grid, deployments] = await Promise.all([
    // A day's deliveries are found by their ids: the first 48 bits of a UUIDv7 are milliseconds.
    sql<Overview["counts"][]>`
      select
        (select count(*)::int from application
          where project_id = ${projectId} and archived_at is null and proposal is null) as applications,
        (select count(*)::int from environment where project_id = ${projectId} and status = 'active') as environments,
        (select count(*)::int from repository where project_id = ${projectId}) as repositories,
        (select count(*)::int from agent where project_id = ${projectId} and status = 'connected') as agents_connected,
        (select count(*)::int from agent where project_id = ${projectId} and status <> 'revoked') as agents,
        (select count(*)::int from deployment where project_id = ${projectId}
          and status in ('running', 'paused', 'cancelling', 'rolling_back')) as deployments_active,
        (select count(*)::int from deployment d where project_id = ${projectId}
          and (status in ('pending', 'awaiting_approval', 'paused') or status = 'running' and exists (
            select from task t where t.deployment_id = d.id and t.type = 'approval' and t.state = 'pending' and t.open
          ))) as deployments_waiting,
        (select count(*)::int from delivery where project_id = ${projectId} and status = 'failed' and id > (
          rpad(lpad(to_hex((extract(epoch from boreas_now() - interval '1 day') * 1000)::bigint), 12, '0'), 32, '0')
        )::uuid) as failed_deliveries`,
    sql<Overview["environments"]>`
      select id, name, type from environment where project_id = ${projectId} and status = 'active' order by name`,
    sql<Overview["applications"]>`
      select id, name from application
      where project_id = ${projectId} and archived_at is null and proposal is null order by name`,
    readGrid(db, projectId),
    readCurrentDeployments(db, projectId),
  ]);
  return {
    counts: counts[0]!,
    environments: [...environments],
    applications: [...applications],
    grid: [...grid],
    deployments,
  };
}

/** A cell for every application that is bound to an environment or runs there: the worst of its targets. */
const readGrid = (db: Database, projectId: string) =>
  db.sql<Overview["grid"]>`
    with ranked as (
      select s.application_id, s.environment_id, s.health_now as health, v.version,
        (count(*) over cell)::int as targets,
        row_number() over (cell order by array_position(
          array['missing', 'degraded', 'progressing', 'unknown', 'healthy'], s.health_now), s.version_id desc, s.target) as rank
      from (
        -- Of a machine that is not connected nobody knows.
        select s.*, case when s.target <> '-' and g.status <> 'connected' then 'unknown' else s.health end as health_now
        from app_state s left join agent g on g.id = s.agent_id where s.project_id = ${projectId}
      ) s left join version v on v.id = s.version_id
      window cell as (partition by s.application_id, s.environment_id)
    ), cells as (
      select application_id, environment_id from application_environment where project_id = ${projectId}
      union select application_id, environment_id from ranked
    )
    select application_id, environment_id, r.version, coalesce(r.health, 'missing') as health,
      coalesce(r.targets, 0)::int as targets
    from cells
    left join (select * from ranked where rank = 1) r using (application_id, environment_id)
    join application a on a.id = application_id and a.archived_at is null and a.proposal is null
    join environment e on e.id = environment_id and e.status = 'active'
    order by a.name, e.name`;

/** Everything that is open, and the newest ones whatever they are. */
async function readCurrentDeployments(db: Database, projectId: string): Promise<Overview["deployments"]> {
  const rows = await db.sql<{ id: string }[]>`
    (select id from deployment where project_id = ${projectId}
      and status in ('pending', 'awaiting_approval', 'running', 'paused', 'cancelling', 'rolling_back')
      order by id desc limit ${OPEN_DEPLOYMENTS})
    union
    (select id from deployment where project_id = ${projectId} order by id desc limit ${RECENT_DEPLOYMENTS})`;
  return await getDeployments(db, rows.map((r) => r.id));
}
