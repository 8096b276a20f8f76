import type { Database } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { BATCH_ROWS, tellWalk, toBatch } from "./policy.ts";
import type { Batch, Walk } from "./policy.ts";

/** Rows looked at for one batch: those that are kept lie between. */
const LOOKED_AT = 5 * BATCH_ROWS;

/**
 * Old deliveries that came to nothing and are not the last word on their ref. What made a version stays with it, and the
 * newest of each ref stays: by them the poller knows what it has seen, and would otherwise take it for a new push.
 */
export async function removeDeliveries(
  db: Database,
  days: number,
  after: string | undefined,
  rows = BATCH_ROWS,
): Promise<Batch> {
  return await inTransaction(db, async (tx) => {
    const [batch] = await tx<Walk<string>[]>`
      with looked as materialized (
        select id, repository_id, ref, version_id, status in ('processed', 'ignored', 'failed') as is_settled,
          received_at < boreas_now() - make_interval(days => ${days}) as is_old
        from delivery where ${after ?? null}::uuid is null or id > ${after ?? null}::uuid order by id limit ${LOOKED_AT}
      ), deleted as (
        delete from delivery where id in (
          select d.id from delivery d where d.id in (
            select l.id from looked l where l.is_old and l.is_settled
              and not exists (select from version v where v.id = l.version_id)
              and (l.ref is null or exists (
                select from delivery n where n.repository_id = l.repository_id and n.ref = l.ref and n.id > l.id))
            order by l.id limit ${rows}
          ) order by d.id for update skip locked
        ) returning id
      )
      ${tellWalk(tx)}`;
    return toBatch(batch!, rows);
  });
}
