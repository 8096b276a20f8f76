/**
 * Holds the log of an attempt within its cap: what came first and what came last stay, the middle goes.
 *
 *   |  first part  |  dropped, a marker stands for it  |  last part  |
 *   0             from                                 to          bytes
 *
 * `from` is set once; `to` moves on in steps while the log grows, so that each deletes few rows, within the append that
 * made the log too long: a crash leaves either both or neither. Both stand behind a newline if one is near. Rows that
 * lie in the range only in part stay, and readers cut them.
 */
import type { Tx } from "../database.ts";

export interface DroppedRange {
  from: number;
  to: number;
  /** Newlines among the dropped bytes. */
  lines: number;
}
/** Dropped beyond what must be, so that not every append deletes; a part of the cap, or of a large one this much. */
const MAX_SLACK = 4 * 1024 * 1024;
const SLACK_OF_CAP = 1 / 8;
/** Bytes of one step, also when the cap was lowered under a long log: the next appends take the rest. */
const MAX_STEP = 32 * 1024 * 1024;
const NEWLINE = 10;

export async function dropMiddle(
  tx: Tx,
  log: { taskId: string; attempt: number; bytes: number },
  dropped: DroppedRange | undefined,
  capBytes: number,
): Promise<DroppedRange> {
  const { taskId, attempt, bytes } = log;
  const chunkAt = async (offset: number) => {
    const [row] = await tx<{ offset: number; data: Uint8Array }[]>`
      select "offset", data from log_chunk where task_id = ${taskId} and attempt = ${attempt} and "offset" <= ${offset}
      order by "offset" desc limit 1`;
    return row!;
  };
  const half = Math.floor(capBytes / 2);
  const from = dropped?.from ?? lineStartBefore(await chunkAt(half - 1), half);
  const known = dropped?.to ?? from;
  const slack = Math.min(MAX_SLACK, Math.floor(capBytes * SLACK_OF_CAP));
  const wanted = Math.min(bytes - (capBytes - half) + slack, known + MAX_STEP, bytes - 1);
  const edge = await chunkAt(wanted);
  const to = Math.max(known, lineStartAfter(edge, wanted));
  // `escape` writes NUL and high bytes as octal and leaves a newline as it is.
  const [counted] = await tx<{ lines: number }[]>`
    select coalesce(sum(length(e) - length(replace(e, E'\n', ''))), 0)::bigint as lines from log_chunk
    cross join lateral (select encode(substring(data from greatest(${known} - "offset", 0)::int + 1
      for greatest(${to} - greatest("offset", ${known}), 0)::int), 'escape') as e) part
    where task_id = ${taskId} and attempt = ${attempt} and "offset" < ${to}
      and "offset" >= (select max("offset") from log_chunk
        where task_id = ${taskId} and attempt = ${attempt} and "offset" <= ${known})`;
  const now = { from, to, lines: (dropped?.lines ?? 0) + counted!.lines };
  const wholeUntil = to === edge.offset + edge.data.length ? to : edge.offset;
  await tx`delete from log_chunk where task_id = ${taskId} and attempt = ${attempt}
    and "offset" >= ${from} and "offset" < ${wholeUntil}`;
  await tx`update log_head set dropped_from = ${now.from}, dropped_to = ${now.to}, dropped_lines = ${now.lines}
    where task_id = ${taskId} and attempt = ${attempt}`;
  return now;
}

interface Chunk {
  offset: number;
  data: Uint8Array;
}

/** The last line that begins at or before an offset; where the chunk has none, a border between characters. */
function lineStartBefore({ offset, data }: Chunk, wanted: number): number {
  let at = wanted - offset;
  const newline = at > 0 ? data.lastIndexOf(NEWLINE, at - 1) : -1;
  if (newline >= 0) return offset + newline + 1;
  while (at > 0 && isWithinCharacter(data[at])) at--;
  return offset + at;
}

/** The same for the next line that begins at or after it. */
function lineStartAfter({ offset, data }: Chunk, wanted: number): number {
  let at = wanted - offset;
  const newline = data.indexOf(NEWLINE, Math.max(0, at - 1));
  if (newline >= 0) return offset + newline + 1;
  while (isWithinCharacter(data[at])) at++;
  return offset + at;
}

const isWithinCharacter = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80;
