import type { Database } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { BATCH_ROWS, tellWalk, toBatch } from "./policy.ts";
import type { Batch, Walk } from "./policy.ts";

/** Old messages to people outside that were sent, given up or dropped. */
export async function removeMessages(
  db: Database,
  days: number,
  after: string | undefined,
  rows = BATCH_ROWS,
): Promise<Batch> {
  return await inTransaction(db, async (tx) => {
    const [batch] = await tx<Walk<string>[]>`
      with looked as materialized (
        select id, status in ('sent', 'failed', 'dropped') as is_settled,
          created_at < boreas_now() - make_interval(days => ${days}) as is_old
        from notification_delivery where ${after ?? null}::uuid is null or id > ${after ?? null}::uuid
        order by id limit ${5 * BATCH_ROWS}
      ), deleted as (
        delete from notification_delivery where id in (
          select id from looked where is_old and is_settled order by id limit ${rows}
        ) returning id
      )
      ${tellWalk(tx)}`;
    return toBatch(batch!, rows);
  });
}
