import type { Database } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { MAX_DAYS } from "../../domain/judge_soak.ts";
import { BATCH_ROWS, tellWalk, toBatch } from "../retention/policy.ts";
import type { Batch, Walk } from "../retention/policy.ts";

const LOOKED_AT = 5 * BATCH_ROWS;
/** Younger ones are the memory of which deployments' ends were looked at. */
const LEAST_DAYS = MAX_DAYS + 1;
/** Of a trigger that is looked at every minute, beyond the days above. */
const NEWEST = 1000;

/** Old runs: beyond the days that everything is kept, or beyond the newest of their trigger. */
export async function removeRuns(
  db: Database,
  days: number,
  after: string | undefined,
  rows = BATCH_ROWS,
): Promise<Batch> {
  return await inTransaction(db, async (tx) => {
    const [batch] = await tx<Walk<string>[]>`
      with looked as materialized (
        select id, trigger_id, outcome, created_at < boreas_now() - make_interval(days => ${LEAST_DAYS}) as is_old,
          ${days > 0} and created_at < boreas_now() - make_interval(days => ${days}) as is_beyond
        from trigger_run where ${after ?? null}::uuid is null or id > ${
      after ?? null
    }::uuid order by id limit ${LOOKED_AT}
      ), deleted as (
        delete from trigger_run where id in (
          select r.id from trigger_run r where r.id in (
            select l.id from looked l where l.is_old and l.outcome <> 'waiting' and (l.is_beyond or (
              select count(*) from (select from trigger_run n where n.trigger_id = l.trigger_id and n.id > l.id limit ${NEWEST}) n
            ) >= ${NEWEST}) order by l.id limit ${rows}
          ) order by r.id for update skip locked
        ) returning id
      )
      ${tellWalk(tx)}`;
    return toBatch(batch!, rows);
  });
}
