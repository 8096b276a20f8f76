import type { Database } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { BATCH_ROWS, tellWalk, toBatch } from "./policy.ts";
import type { Batch, Walk } from "./policy.ts";

/** What providers were told of commits long ago; there it stays. */
export async function removeStatuses(
  db: Database,
  days: number,
  after: string | undefined,
  rows = BATCH_ROWS,
): Promise<Batch> {
  return await inTransaction(db, async (tx) => {
    const [batch] = await tx<Walk<string>[]>`
      with looked as materialized (
        select id, status in ('sent', 'failed') as is_settled,
          changed_at < boreas_now() - make_interval(days => ${days}) as is_old
        from commit_status where ${after ?? null}::uuid is null or id > ${after ?? null}::uuid
        order by id limit ${5 * BATCH_ROWS}
      ), deleted as (
        delete from commit_status where id in (
          select id from looked where is_old and is_settled order by id limit ${rows}
        ) returning id
      )
      ${tellWalk(tx)}`;
    return toBatch(batch!, rows);
  });
}
