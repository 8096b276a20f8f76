/**
 * Cuts the log of an attempt down to so many bytes: what came first and what came last stay, the middle goes.
 *
 *   |  first part  |  dropped, a marker stands for it  |  last part  |
 *   0             from                                 to          bytes
 *
 * `to` moves on in steps while the log grows, so that each deletes few rows; `from` moves back when later attempts need
 * room. Both stand behind a newline if one is near. Rows that lie in the range only in part stay, and readers cut them.
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
  const first = dropped ? Math.max(half, dropped.from - MAX_STEP) : half;
  const from = dropped && dropped.from <= first ? dropped.from : lineStartBefore(await chunkAt(first - 1), first);
  const known = dropped ?? { from, to: from, lines: 0 };
  const slack = Math.min(MAX_SLACK, Math.floor(capBytes * SLACK_OF_CAP));
  const wanted = Math.min(bytes - (capBytes - half) + slack, known.to + MAX_STEP, bytes - 1);
  const to = wanted <= known.to ? known.to : Math.max(known.to, lineStartAfter(await chunkAt(wanted), wanted));
  let { lines } = known;
  for (const [begin, end] of [[from, known.from], [known.to, to]] as const) {
    if (begin < end) lines += await countLines(tx, log, begin, end);
  }
  await tx`delete from log_chunk where task_id = ${taskId} and attempt = ${attempt}
    and "offset" >= ${from} and "offset" < ${to} and "offset" + octet_length(data) <= ${to}`;
  await tx`update log_head set dropped_from = ${from}, dropped_to = ${to}, dropped_lines = ${lines}
    where task_id = ${taskId} and attempt = ${attempt}`;
  return { from, to, lines };
}

/** Newlines between two offsets, all of whose bytes are stored. */
async function countLines(
  tx: Tx,
  { taskId, attempt }: { taskId: string; attempt: number },
  from: number,
  to: number,
): Promise<number> {
  // `escape` writes NUL and high bytes as octal and leaves a newline as it is.
  const [counted] = await tx<{ lines: number }[]>`
    select coalesce(sum(length(e) - length(replace(e, E'\n', ''))), 0)::bigint as lines from log_chunk
    cross join lateral (select encode(substring(data from greatest(${from} - "offset", 0)::int + 1
      for greatest(${to} - greatest("offset", ${from}), 0)::int), 'escape') as e) part
    where task_id = ${taskId} and attempt = ${attempt} and "offset" < ${to}
      and "offset" >= (select max("offset") from log_chunk
        where task_id = ${taskId} and attempt = ${attempt} and "offset" <= ${from})`;
  return counted!.lines;
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
