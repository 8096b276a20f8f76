import type { Fragment } from "../client.ts";
import type { Database, Tx } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { BATCH_ROWS, tellWalk, toBatch } from "./policy.ts";
import type { Batch, Walk } from "./policy.ts";

type RemoveBatch = (db: Database, days: number, after: string | undefined, rows?: number) => Promise<Batch>;

/** Old messages to people outside that were sent, given up or dropped. */
export const removeMessages: RemoveBatch = (db, days, after, rows) =>
  removeTold(db, { days, after, rows }, (tx) => ({
    table: tx`notification_delivery`,
    isSettled: tx`status in ('sent', 'failed', 'dropped')`,
    at: tx`created_at`,
  }));

/** What providers were told of commits long ago; there it stays. */
export const removeStatuses: RemoveBatch = (db, days, after, rows) =>
  removeTold(db, { days, after, rows }, (tx) => ({
    table: tx`commit_status`,
    isSettled: tx`status in ('sent', 'failed')`,
    at: tx`changed_at`,
  }));

interface Told {
  table: Fragment;
  /** Nothing more is sent of it. */
  isSettled: Fragment;
  /** By which it is old. */
  at: Fragment;
}

async function removeTold(
  db: Database,
  { days, after, rows = BATCH_ROWS }: { days: number; after: string | undefined; rows?: number },
  tell: (tx: Tx) => Told,
): Promise<Batch> {
  return await inTransaction(db, async (tx) => {
    const { table, isSettled, at } = tell(tx);
    const [batch] = await tx<Walk<string>[]>`
      with looked as materialized (
        select id, ${isSettled} as is_settled, ${at} < boreas_now() - make_interval(days => ${days}) as is_old
        from ${table} where ${after ?? null}::uuid is null or id > ${after ?? null}::uuid
        order by id limit ${5 * BATCH_ROWS}
      ), deleted as (
        delete from ${table} where id in (
          select id from looked where is_old and is_settled order by id limit ${rows}
        ) returning id
      )
      ${tellWalk(tx)}`;
    return toBatch(batch!, rows);
  });
}
