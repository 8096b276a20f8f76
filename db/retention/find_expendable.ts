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
  const kept = new Set(ids.length === 0 ? [] : await findKept(db, environmentId, ids));
  return {
    ids: ids.filter((id) => !kept.has(id)),
    next: ids.length === limit ? ids.at(-1)! : null,
  };
}

/** One pass over the environment's past, however many applications a deployment has. */
async function findKept(db: Database, environmentId: string, ids: string[]): Promise<string[]> {
  const rows = await db.sql<{ id: string }[]>`
    with own as materialized (
      select d.id, d.status, d.version_id, a.name from deployment d cross join unnest(d.applications) a(name)
      where d.environment_id = ${environmentId} and d.retired_at is null and ${isEnded(db)}
    ), needed as materialized (
      select s.version_id from app_state s where s.environment_id = ${environmentId}
      union
      select (t.payload -> 'previous' ->> 'versionId')::uuid from deployment o join task t on t.deployment_id = o.id and t.is_leaf
      where o.environment_id = ${environmentId} and o.retired_at is null and (
        o.status in ('running', 'paused', 'cancelling', 'rolling_back')
        or o.version_id in (select s.version_id from app_state s where s.environment_id = ${environmentId})
      )
    ), kept as (
      (select distinct on (name) id from own where status = 'completed' order by name, id desc)
      union
      (select distinct on (name) id from own where status in ('failed', 'rolled_back', 'rollback_failed') order by name, id desc)
      union
      (select distinct on (t.name) d.id from deployment d join task t on t.deployment_id = d.id
        where d.environment_id = ${environmentId} and d.retired_at is null and t.state = 'failed' and t.parent_id is null
        order by t.name, d.id desc)
      union
      (select distinct on (name, version_id) id from own where status = 'completed' and version_id in (select version_id from needed)
        order by name, version_id, id desc)
      union
      select o.id from own o where o.status <> 'completed' and o.version_id in (select version_id from needed) and not exists (
        select from own n where n.version_id = o.version_id and n.name = o.name and n.status = 'completed' and n.id > o.id)
    )
    select id from kept where id = any(${ids}::uuid[])`;
  return rows.map((r) => r.id);
}

const isEnded = (db: Database) =>
  db.sql`d.status not in ('pending', 'awaiting_approval', 'running', 'paused', 'cancelling', 'rolling_back')`;
