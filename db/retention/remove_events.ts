import type { Database } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { BATCH_ROWS, toBatch } from "./policy.ts";
import type { Batch, Walk } from "./policy.ts";

/** Rows looked at for one batch: those of deployments that are kept lie between. */
const LOOKED_AT = 20 * BATCH_ROWS;

/** Which events are old. */
export interface EventAge {
  /** 0: none is by its age. */
  days: number;
  /** Those up to this id are, but for the last hour: somebody may not have told them yet. */
  upTo?: number | undefined;
}

/** @returns the newest event of no deployment behind the newest `count` of them. Reads only, and locks nothing. */
export async function findSurplus(db: Database, count: number): Promise<number | undefined> {
  const [row] = await db.sql<{ id: number }[]>`
    select id from event where deployment_id is null order by id desc offset ${count} limit 1`;
  return row?.id;
}

/**
 * Old events that belong to no deployment that is still there: of agents, versions, repositories. Walks from the oldest
 * on, by id, until it meets a young one; those of a deployment stay as long as it does, because they are its history.
 */
export async function removeEvents(
  db: Database,
  { days, upTo = 0 }: EventAge,
  after: string | undefined,
  rows = BATCH_ROWS,
): Promise<Batch> {
  return await inTransaction(db, async (tx) => {
    const [batch] = await tx<Walk<number>[]>`
      with looked as materialized (
        select id, deployment_id, (${days} > 0 and created_at < boreas_now() - make_interval(days => ${days})
          or id <= ${upTo} and created_at < boreas_now() - interval '1 hour') as is_old
        from event where id > ${Number(after ?? 0)} order by id limit ${LOOKED_AT}
      ), deleted as (
        delete from event where id in (
          select e.id from event e where e.id in (
            select l.id from looked l where l.is_old and (l.deployment_id is null
              or not exists (select from deployment d where d.id = l.deployment_id)) order by l.id limit ${rows}
          ) order by e.id for update skip locked
        ) returning id
      )
      select (select count(*)::int from deleted) as removed, (select max(id) from deleted) as last,
        (select max(id) from looked) as seen, (select coalesce(bool_and(is_old), false) from looked) as is_all_old`;
    return toBatch(batch!, rows);
  });
}
