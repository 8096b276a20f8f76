/**
 * Lines by number, for viewers that jump. Where lines begin is worked out from the chunks when somebody asks, and kept:
 * a stored chunk never changes, so an index only ever grows at its end. PostgreSQL counts the newlines, so that building
 * one moves no log bytes.
 */
import type { Database } from "../database.ts";
import { concatBytes, readLogRange } from "./read_log.ts";

export interface LogLine {
  /** Byte offset of its beginning within the attempt. */
  offset: number;
  /** Without its newline; bytes that are not UTF-8 are shown as U+FFFD. */
  text: string;
  /** Only its first 64 KiB are here. */
  cut: boolean;
}
export interface LineIndex {
  /** @param from number of the first line wanted, 0 is the first of the log. Fewer than `count` may come; ask again. */
  lines(
    taskId: string,
    attempt: number,
    from: number,
    count: number,
  ): Promise<{ total: number; lines: LogLine[] }>;
}
interface Entry {
  /** Of each chunk: where it begins, and how many newlines stand before it. */
  chunks: { offset: number; newlinesBefore: number }[];
  bytes: number;
  newlines: number;
  endsInNewline: boolean;
}
const KEPT_LOGS = 64;
const MAX_READ_BYTES = 4 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
const MAX_LINE_BYTES = 64 * 1024;
const NEWLINE = 10;

export function createLineIndex(db: Database): LineIndex {
  /** In order of last use. */
  const entries = new Map<string, Entry>();
  return {
    async lines(taskId, attempt, from, count) {
      const key = `${taskId} ${attempt}`;
      const known = entries.get(key) ?? { chunks: [], bytes: 0, newlines: 0, endsInNewline: true };
      const entry = await extend(db, taskId, attempt, known);
      entries.delete(key);
      entries.set(key, entry);
      if (entries.size > KEPT_LOGS) entries.delete(entries.keys().next().value!);
      const total = entry.newlines + (entry.endsInNewline ? 0 : 1);
      if (from >= total || count === 0) return { total, lines: [] };
      return { total, lines: await readLines(db, taskId, attempt, entry, from, count) };
    },
  };
}

/** A new entry, so that two readers that extend at once do no harm. */
async function extend(db: Database, taskId: string, attempt: number, entry: Entry): Promise<Entry> {
  // `escape` writes NUL and high bytes as octal and leaves a newline as it is.
  const rows = await db.sql<{ offset: number; bytes: number; newlines: number; endsInNewline: boolean }[]>`
    select "offset", length(data) as bytes, length(e) - length(replace(e, E'\n', '')) as newlines,
      right(e, 1) = E'\n' as ends_in_newline
    from log_chunk cross join lateral (select encode(data, 'escape') as e) escaped
    where task_id = ${taskId} and attempt = ${attempt} and "offset" >= ${entry.bytes} order by "offset"`;
  if (rows.length === 0) return entry;
  const chunks = [...entry.chunks];
  let newlines = entry.newlines;
  for (const row of rows) {
    chunks.push({ offset: row.offset, newlinesBefore: newlines });
    newlines += row.newlines;
  }
  const last = rows.at(-1)!;
  return { chunks, bytes: last.offset + last.bytes, newlines, endsInNewline: last.endsInNewline };
}

async function readLines(
  db: Database,
  taskId: string,
  attempt: number,
  entry: Entry,
  from: number,
  count: number,
): Promise<LogLine[]> {
  // Line n begins after the n-th newline: in the last chunk that has fewer than n newlines before it.
  const chunk = entry.chunks[findLast(entry.chunks, (c) => c.newlinesBefore < from)] ?? entry.chunks[0]!;
  const lines: LogLine[] = [];
  let skip = from - chunk.newlinesBefore;
  let at = chunk.offset;
  let lineStart = at;
  let pending: Uint8Array[] = [];
  for (let read = 0; read < MAX_READ_BYTES && at < entry.bytes && lines.length < count;) {
    const bytes = await readLogRange(db, taskId, attempt, at, Math.min(entry.bytes, at + READ_BYTES));
    let begin = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0 && lines.length < count; end = bytes.indexOf(NEWLINE, begin)) {
      if (skip > 0) skip--;
      else lines.push(toLine(lineStart, [...pending, bytes.subarray(begin, end)]));
      pending = [];
      begin = end + 1;
      lineStart = at + begin;
    }
    if (skip === 0 && lines.length < count) pending.push(bytes.subarray(begin));
    at += bytes.length;
    read += bytes.length;
  }
  // The last line of the log has no newline; or one line is longer than all that is read at once.
  const isTail = at >= entry.bytes && !entry.endsInNewline;
  if (lines.length < count && skip === 0 && (isTail || lines.length === 0)) lines.push(toLine(lineStart, pending));
  return lines;
}

function toLine(offset: number, pieces: readonly Uint8Array[]): LogLine {
  const bytes = concatBytes(pieces);
  return {
    offset,
    text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, MAX_LINE_BYTES)),
    cut: bytes.length > MAX_LINE_BYTES,
  };
}

/** Index of the last item that holds, when all that hold stand first; -1 when none does. */
function findLast<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(items[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
