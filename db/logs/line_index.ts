/**
 * Lines by number, for viewers that jump. Where lines begin is worked out from the chunks when somebody asks, and kept:
 * a stored chunk never changes, so an index only ever grows at its end. PostgreSQL counts the newlines, so that building
 * one moves no log bytes. Where a log outgrew its cap, the marker is a line, and the next one is the first behind it.
 */
import type { Database } from "../database.ts";
import { concatBytes, droppedMarker, readDropped, readLogRange } from "./read_log.ts";
import type { Dropped } from "./read_log.ts";

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
  /** Of each chunk: where it begins, and how many newlines stand before it, dropped ones included. */
  chunks: Chunk[];
  bytes: number;
  newlines: number;
  endsInNewline: boolean;
  /** Of a log that outgrew its cap, with the newlines before it. */
  dropped: (Dropped & { newlinesBefore: number }) | undefined;
}
interface Chunk {
  offset: number;
  newlinesBefore: number;
}
/** Bytes without a hole, and the lines in them: a log has one, or two with a marker between. */
interface Region {
  chunks: Chunk[];
  end: number;
  lines: number;
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
      const entry = await extend(db, taskId, attempt, entries.get(key) ?? EMPTY);
      entries.delete(key);
      entries.set(key, entry);
      if (entries.size > KEPT_LOGS) entries.delete(entries.keys().next().value!);
      const read = (region: Region, first: number, most: number) => readLines(db, taskId, attempt, region, first, most);
      const { dropped } = entry;
      if (!dropped) {
        const all = wholeRegion(entry);
        return { total: all.lines, lines: await read(all, from, count) };
      }
      const [first, last] = [regionBefore(entry, dropped), regionBehind(entry, dropped)];
      const lines = await read(first, from, count);
      // As long as the first part gave what it could: its lines may be long ones, of which few come at once.
      if (lines.length < count && from + lines.length === first.lines) lines.push(markerLine(dropped));
      const isBehind = from + lines.length > first.lines;
      const next = Math.max(0, from + lines.length - first.lines - 1);
      if (isBehind && lines.length < count) lines.push(...await read(last, next, count - lines.length));
      return { total: first.lines + 1 + last.lines, lines };
    },
  };
}

const EMPTY: Entry = { chunks: [], bytes: 0, newlines: 0, endsInNewline: true, dropped: undefined };

const wholeRegion = ({ chunks, bytes, newlines, endsInNewline }: Entry): Region => ({
  chunks,
  end: bytes,
  lines: newlines + (endsInNewline ? 0 : 1),
  endsInNewline,
});

const regionBefore = (entry: Entry, dropped: NonNullable<Entry["dropped"]>): Region => ({
  chunks: entry.chunks.filter((c) => c.offset < dropped.from),
  end: dropped.from,
  lines: dropped.newlinesBefore + (dropped.isMidLine ? 1 : 0),
  endsInNewline: !dropped.isMidLine,
});

function regionBehind(entry: Entry, dropped: NonNullable<Entry["dropped"]>): Region {
  const before = dropped.newlinesBefore + dropped.lines;
  const behind = entry.chunks.filter((c) => c.offset > dropped.to);
  const chunks = [{ offset: dropped.to, newlinesBefore: before }, ...behind]
    .map((c) => ({ ...c, newlinesBefore: c.newlinesBefore - before }));
  const isEmpty = entry.bytes <= dropped.to;
  const lines = isEmpty ? 0 : entry.newlines - before + (entry.endsInNewline ? 0 : 1);
  return { chunks, end: entry.bytes, lines, endsInNewline: entry.endsInNewline };
}

function markerLine(dropped: Dropped): LogLine {
  const text = new TextDecoder().decode(droppedMarker({ ...dropped, isMidLine: false }, dropped.from)).trimEnd();
  return { offset: dropped.from, text, cut: false };
}

/** A new entry, so that two readers that extend at once do no harm. */
async function extend(db: Database, taskId: string, attempt: number, known: Entry): Promise<Entry> {
  const dropped = await readDropped(db, taskId, attempt);
  if (!dropped) return await countUntil(db, taskId, attempt, known, Infinity);
  // A step of the dropping may come between this and the count; the next reader then finds it here.
  if (known.dropped?.from === dropped.from && known.bytes >= dropped.to) {
    const entry = { ...known, dropped: { ...dropped, newlinesBefore: known.dropped.newlinesBefore } };
    return await countUntil(db, taskId, attempt, entry, Infinity);
  }
  const before = await countUntil(db, taskId, attempt, EMPTY, dropped.from);
  const behind: Entry = {
    chunks: before.chunks,
    bytes: dropped.to,
    newlines: before.newlines + dropped.lines,
    endsInNewline: true,
    dropped: { ...dropped, newlinesBefore: before.newlines },
  };
  return await countUntil(db, taskId, attempt, behind, Infinity);
}

async function countUntil(db: Database, taskId: string, attempt: number, entry: Entry, end: number): Promise<Entry> {
  const last = Math.min(end, Number.MAX_SAFE_INTEGER);
  // `escape` writes NUL and high bytes as octal and leaves a newline as it is.
  const rows = await db.sql<{ offset: number; bytes: number; newlines: number; endsInNewline: boolean }[]>`
    select "offset", length(data) as bytes, length(e) - length(replace(e, E'\n', '')) as newlines,
      right(e, 1) = E'\n' as ends_in_newline
    from log_chunk cross join lateral (select encode(substring(data from greatest(${entry.bytes} - "offset", 0)::int + 1
      for least(length(data), ${last} - "offset")::int), 'escape') as e) escaped
    where task_id = ${taskId} and attempt = ${attempt} and "offset" < ${last}
      and "offset" + length(data) > ${entry.bytes} and "offset" >= coalesce((select max("offset") from log_chunk
        where task_id = ${taskId} and attempt = ${attempt} and "offset" <= ${entry.bytes}), 0)
    order by "offset"`;
  if (rows.length === 0) return entry;
  const chunks = [...entry.chunks];
  let newlines = entry.newlines;
  for (const row of rows) {
    chunks.push({ offset: row.offset, newlinesBefore: newlines });
    newlines += row.newlines;
  }
  const tail = rows.at(-1)!;
  return {
    ...entry,
    chunks,
    bytes: Math.min(end, tail.offset + tail.bytes),
    newlines,
    endsInNewline: tail.endsInNewline,
  };
}

async function readLines(
  db: Database,
  taskId: string,
  attempt: number,
  region: Region,
  from: number,
  count: number,
): Promise<LogLine[]> {
  if (from >= region.lines || count === 0) return [];
  // Line n begins after the n-th newline: in the last chunk that has fewer than n newlines before it.
  const chunk = region.chunks[findLast(region.chunks, (c) => c.newlinesBefore < from)] ?? region.chunks[0]!;
  const lines: LogLine[] = [];
  let skip = from - chunk.newlinesBefore;
  let at = chunk.offset;
  let lineStart = at;
  let pending: Uint8Array[] = [];
  for (let read = 0; read < MAX_READ_BYTES && at < region.end && lines.length < count;) {
    const bytes = await readLogRange(db, taskId, attempt, at, Math.min(region.end, at + READ_BYTES));
    if (bytes.length === 0) break; // dropped since; whoever asks again finds it said
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
  const isTail = at >= region.end && !region.endsInNewline;
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
