/**
 * Ended deployments of an environment that nobody needs: old enough, or beyond the count, and none of
 *
 *   the last that completed, the last that did not, and the last in which the application's own task failed,
 *     of any application in it;
 *   the newest that completed with a version that runs here, or that a rollback would go back to: of what runs, and of
 *     what is under way.
 *
 * Reads only, without a transaction id: while it looks, nobody's events wait for it.
 */
import type { Database } from "../database.ts";
import type { Fragment } from "../client.ts";
import type { Age } from "./policy.ts";

/**
 * @param after the id behind which to look; ids sort by age
 * @param also a condition on the deployment `d`
 * @returns ids in order, at most `limit`, and where to go on
 */
export async function findExpendable(
  db: Database,
  environmentId: string,
  age: Age,
  { after, limit, also = db.sql`true` }: { after: string | null; limit: number; also?: Fragment },
): Promise<{ ids: string[]; next: string | null }> {
  const { sql } = db;
  const candidates = await sql<{ id: string }[]>`
    with ended as (
      select d.id, d.completed_at, d.applications, d.logs_removed_at from deployment d
      where d.environment_id = ${environmentId} and d.retired_at is null and ${isEnded(db)}
    ), beyond as (
      select id from (
        select e.id, row_number() over (partition by a.name order by e.id desc) > ${age.deployments} as is_beyond
        from ended e cross join unnest(e.applications) a(name) where ${age.deployments} > 0
      ) ranked group by id having bool_and(is_beyond)
    )
    select d.id from ended d
    where (${after}::uuid is null or d.id > ${after}::uuid) and ${also}
      and (${age.days} > 0 and d.completed_at < boreas_now() - make_interval(days => ${age.days})
        or d.id in (select id from beyond))
    order by d.id limit ${limit}`;
  const ids = candidates.map((c) => c.id);
  const kept = ids.length === 0 ? [] : await findKept(db, environmentId, ids);
  return {
    ids: ids.filter((id) => !kept.includes(id)),
    next: ids.length === limit ? ids.at(-1)! : null,
  };
}

async function findKept(db: Database, environmentId: string, ids: string[]): Promise<string[]> {
  const { sql } = db;
  const newer =
    sql`from deployment n where n.environment_id = d.environment_id and n.id > d.id and n.retired_at is null`;
  const rows = await sql<{ id: string }[]>`
    with needed as materialized (
      select s.version_id from app_state s where s.environment_id = ${environmentId}
      union
      select (t.payload -> 'previous' ->> 'versionId')::uuid from deployment o join task t on t.deployment_id = o.id and t.is_leaf
      where o.environment_id = ${environmentId} and o.retired_at is null and (
        o.status in ('running', 'paused', 'cancelling', 'rolling_back')
        or o.version_id in (select s.version_id from app_state s where s.environment_id = ${environmentId})
      )
    )
    select distinct d.id from deployment d cross join unnest(d.applications) a(name)
    where d.id = any(${ids}::uuid[]) and (
      d.status = 'completed' and not exists (select ${newer} and n.status = 'completed' and a.name = any(n.applications))
      or ${isFailure(db, "d")} and not exists (select ${newer} and ${
    isFailure(db, "n")
  } and a.name = any(n.applications))
      or exists (
        select from task t where t.deployment_id = d.id and t.parent_id is null and t.name = a.name and t.state = 'failed'
          and not exists (select ${newer} and a.name = any(n.applications) and exists (
            select from task u where u.deployment_id = n.id and u.parent_id is null and u.name = a.name and u.state = 'failed'
          )))
      or d.version_id in (select version_id from needed)
        and not exists (select ${newer} and n.version_id = d.version_id and n.status = 'completed' and a.name = any(n.applications))
    )`;
  return rows.map((r) => r.id);
}

const isEnded = (db: Database) =>
  db.sql`d.status not in ('pending', 'awaiting_approval', 'running', 'paused', 'cancelling', 'rolling_back')`;
/** `cancelled` and `superseded` say nothing about the application. */
const isFailure = (db: Database, row: "d" | "n") =>
  db.sql`${db.sql(row)}.status in ('failed', 'rolled_back', 'rollback_failed')`;
