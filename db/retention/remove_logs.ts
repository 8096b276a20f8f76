/**
 * The logs of an ended deployment whose rows stay. Each head's range of dropped bytes grows, batch by batch, until it is
 * the whole log; so at every moment the reader knows which bytes are there, and says of the others why they are not.
 *
 *   no range, or [0, x): grows upward        [a, b) that the cap left: first down to 0, then upward
 *
 * A crash leaves a range that is right; the next batch goes on from it.
 */
import type { Database, Tx } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { BATCH_ROWS } from "./policy.ts";

interface Head {
  taskId: string;
  attempt: number;
  bytes: number;
  droppedFrom: number;
  droppedTo: number;
}
interface Gone {
  chunks: number;
  lowest: number | null;
  highest: number | null;
  lines: number;
}
/** Heads looked at in one transaction. */
const HEADS = 50;

/**
 * @param days the age at which logs go; what is younger, or anything with 0, goes because newer ones are enough
 * @returns chunks removed, and whether that was the last of them
 */
export async function removeLogs(
  db: Database,
  deploymentId: string,
  days: number,
  rows = BATCH_ROWS,
): Promise<{ removed: number; isDone: boolean }> {
  return await inTransaction(db, async (tx) => {
    const [held] = await tx<{ isOld: boolean }[]>`
      select ${days} > 0 and completed_at < boreas_now() - make_interval(days => ${days}) as is_old from deployment where id = ${deploymentId} and retired_at is null
        and status not in ('pending', 'awaiting_approval', 'running', 'paused', 'cancelling', 'rolling_back')
      for update skip locked`;
    if (!held) return { removed: 0, isDone: true };
    const heads = await tx<Head[]>`
      select h.task_id, h.attempt, h.bytes, coalesce(h.dropped_from, 0)::bigint as dropped_from,
        coalesce(h.dropped_to, 0)::bigint as dropped_to
      from task t join log_head h on h.task_id = t.id
      where t.deployment_id = ${deploymentId} and (h.dropped_from is distinct from 0 or h.dropped_to < h.bytes)
      order by h.task_id, h.attempt limit ${HEADS} for update of h`;
    let removed = 0;
    let finished = 0;
    for (const head of heads) {
      let lines = 0;
      while (removed < rows) {
        const isDown = head.droppedFrom > 0;
        const wanted = rows - removed;
        const gone = await takeChunks(tx, head, isDown, wanted);
        removed += gone.chunks;
        lines += gone.lines;
        const isLast = gone.chunks < wanted;
        if (isDown) head.droppedFrom = isLast ? 0 : gone.lowest!;
        else head.droppedTo = isLast ? head.bytes : gone.highest!;
        if (isLast && !isDown) {
          finished++;
          break;
        }
      }
      await tx`
        update log_head set dropped_from = ${head.droppedFrom}, dropped_to = ${head.droppedTo},
          dropped_lines = dropped_lines + ${lines}, removed_after_days = ${held.isOld ? days : 0}
        where task_id = ${head.taskId} and attempt = ${head.attempt}`;
      if (removed >= rows) break;
    }
    const isDone = finished === heads.length && heads.length < HEADS;
    if (isDone) await tx`update deployment set logs_removed_at = boreas_now() where id = ${deploymentId}`;
    return { removed, isDone };
  });
}

/**
 * The chunks next to the range, on the side towards which it grows; upward that is all that is left. A chunk at its edge
 * may lie partly within it: those bytes were counted. `escape` leaves a newline as it is.
 */
async function takeChunks(tx: Tx, head: Head, isDown: boolean, limit: number): Promise<Gone> {
  const [gone] = await tx<Gone[]>`
    with gone as (
      delete from log_chunk c where c.task_id = ${head.taskId} and c.attempt = ${head.attempt} and c.sequence in (
        select sequence from log_chunk where task_id = ${head.taskId} and attempt = ${head.attempt}
          ${
    isDown ? tx`and "offset" < ${head.droppedFrom} order by "offset" desc` : tx`order by "offset"`
  } limit ${limit})
      returning "offset", length(data) as bytes, encode(${
    isDown
      ? tx`substring(data from 1 for (${head.droppedFrom} - "offset")::int)`
      : tx`substring(data from greatest(${head.droppedTo} - "offset", 0)::int + 1)`
  }, 'escape') as text
    )
    select count(*)::int as chunks, min("offset")::bigint as lowest, max("offset" + bytes)::bigint as highest,
      coalesce(sum(length(text) - length(replace(text, E'\n', ''))), 0)::bigint as lines from gone`;
  return gone!;
}
