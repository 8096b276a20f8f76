/** Output as it was stored, by byte offset within an attempt. Only `append_chunks.ts` writes it. */
import { type Gap, gapMarker } from "../../domain/log_marker.ts";
import { isFinal } from "../../domain/task_state.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { Database } from "../database.ts";

/** Where a reader stands in a task's output. */
export interface LogPosition {
  attempt: number;
  offset: number;
}
export interface LogPart extends LogPosition {
  /** From `offset` on; empty when nothing is there yet. Of a part that was dropped, its marker. */
  bytes: Uint8Array;
  /** Where to go on after these bytes. */
  next: number;
  isMarker: boolean;
  /** Bytes of this attempt that are durable. */
  head: number;
  /** The task is final and this part reaches the end of its last attempt. */
  isEnd: boolean;
}
/** One attempt of one leaf. */
export interface LogSource {
  taskId: string;
  name: string;
  attempt: number;
  bytes: number;
  /** Of a log that outgrew its cap, or its time. */
  dropped: Dropped | undefined;
}
/** Offsets whose bytes are gone. */
export interface Dropped {
  from: number;
  to: number;
  lines: number;
  /** The byte before `from` is no newline: the marker begins with one. */
  isMidLine: boolean;
  /** It was retention that dropped them, 0 by the number of newer ones; otherwise it was the cap. */
  afterDays?: number | null;
}
export interface TaskLog {
  isLeaf: boolean;
  /** 0 while it was never handed out. */
  latestAttempt: number;
  isFinal: boolean;
  /** The leaf itself, or the parts of a parent in order of display. */
  sources: LogSource[];
}
interface SourceRow {
  id: string;
  name: string;
  state: TaskState;
  isLeaf: boolean;
  latest: number;
  bytes: number;
  dropped: Dropped | null;
}

/** Why it is gone. */
export const gapOf = ({ afterDays }: Dropped): Pick<Gap, "cause" | "days"> =>
  typeof afterDays === "number" ? { cause: "retention", ...(afterDays > 0 && { days: afterDays }) } : { cause: "cap" };

/** The line that stands for what is dropped, for a reader who stands at an offset in it. */
export function droppedMarker(dropped: Dropped, offset: number): Uint8Array<ArrayBuffer> {
  const isWhole = offset === dropped.from;
  const line = gapMarker({ ...gapOf(dropped), bytes: dropped.to - offset, ...(isWhole && { lines: dropped.lines }) });
  return new TextEncoder().encode(isWhole && dropped.isMidLine ? `\n${line}` : line);
}

/** @param attempt of a leaf; the latest when absent, and always the latest of a parent's parts */
export async function findTaskLog(
  db: Database,
  projectId: string,
  taskId: string,
  attempt?: number,
): Promise<TaskLog | undefined> {
  const rows = await db.sql<SourceRow[]>`
    select t.id, t.name, t.state, t.is_leaf, t.attempt as latest, coalesce(h.bytes, 0)::bigint as bytes,
      ${droppedOf(db)} as dropped
    from task t left join log_head h on h.task_id = t.id
      and h.attempt = case when t.id = ${taskId} then coalesce(${attempt ?? null}::int, greatest(t.attempt, 1))
        else greatest(t.attempt, 1) end
    where (t.id = ${taskId} or t.parent_id = ${taskId}) and t.project_id = ${projectId}
    order by t.position, t.id`;
  const self = rows.find((r) => r.id === taskId);
  if (!self) return undefined;
  const toSource = (row: SourceRow, at: number) => ({
    taskId: row.id,
    name: row.name,
    attempt: at,
    bytes: row.bytes,
    dropped: row.dropped ?? undefined,
  });
  return {
    isLeaf: self.isLeaf,
    latestAttempt: self.latest,
    isFinal: isFinal(self.state),
    sources: self.isLeaf
      ? [toSource(self, attempt ?? Math.max(1, self.latest))]
      : rows.filter((r) => r !== self).map((r) => toSource(r, Math.max(1, r.latest))),
  };
}

/**
 * The next bytes after a position, at most `maxBytes`; at the end of an attempt that was followed by another it goes on
 * with that one. One snapshot holds state, head and bytes together, so `isEnd` is never said too early.
 * @returns undefined when there is no such task
 */
export async function readLog(
  db: Database,
  taskId: string,
  at: LogPosition,
  maxBytes: number,
): Promise<LogPart | undefined> {
  const rows = await db.sql<
    {
      state: TaskState;
      latest: number;
      head: number;
      dropped: Dropped | null;
      offset: number | null;
      data: Uint8Array | null;
    }[]
  >`
    select t.state, t.attempt as latest, coalesce(h.bytes, 0)::bigint as head, ${droppedOf(db)} as dropped,
      c."offset", c.data
    from task t
    left join log_head h on h.task_id = t.id and h.attempt = ${at.attempt}
    left join lateral (${chunksFrom(db, taskId, at.attempt, at.offset, maxBytes)}) c on true
    where t.id = ${taskId} order by c."offset"`;
  const first = rows[0];
  if (!first) return undefined;
  const { head, dropped } = first;
  if (dropped && at.offset >= dropped.from && at.offset < dropped.to) {
    const bytes = droppedMarker(dropped, at.offset);
    return { ...at, bytes, next: dropped.to, isMarker: true, head, isEnd: false };
  }
  const until = dropped && at.offset < dropped.from ? dropped.from : Infinity;
  const chunks = rows.flatMap((r) => r.data === null ? [] : [{ offset: r.offset!, data: r.data }]);
  const bytes = cut(chunks, at.offset, Math.min(until, at.offset + maxBytes));
  const next = at.offset + bytes.length;
  if (bytes.length === 0 && next >= head && first.latest > at.attempt) {
    return await readLog(db, taskId, { attempt: at.attempt + 1, offset: 0 }, maxBytes);
  }
  const isEnd = next >= head && isFinal(first.state) && first.latest <= at.attempt;
  return { ...at, bytes, next, isMarker: false, head, isEnd };
}

/** Exactly these bytes of an attempt, of which none was dropped; fewer past its end. */
export async function readLogRange(
  db: Database,
  taskId: string,
  attempt: number,
  from: number,
  to: number,
): Promise<Uint8Array> {
  const chunks = await db.sql<{ offset: number; data: Uint8Array }[]>`${
    chunksFrom(db, taskId, attempt, from, to - from)
  } order by "offset"`;
  return cut(chunks, from, to);
}

/** @returns undefined while an attempt has all that it wrote */
export async function readDropped(db: Database, taskId: string, attempt: number): Promise<Dropped | undefined> {
  const [row] = await db.sql<{ dropped: Dropped | null }[]>`
    select ${droppedOf(db)} as dropped from log_head h where h.task_id = ${taskId} and h.attempt = ${attempt}`;
  return row?.dropped ?? undefined;
}

/** How far each attempt of these tasks reaches. */
export function readLogHeads(
  db: Database,
  taskIds: readonly string[],
): Promise<{ taskId: string; attempt: number; bytes: number }[]> {
  return db.sql<{ taskId: string; attempt: number; bytes: number }[]>`
    select task_id, attempt, bytes from log_head where task_id = any(${[...taskIds]}::uuid[])`;
}

/** What is dropped of the log of `h`, as a whole or not at all. Only the chunk that was chosen is asked for its byte: the others may have none there. */
const droppedOf = (db: Database) =>
  db.sql`case when h.dropped_from is null then null else json_build_object('from', h.dropped_from, 'to', h.dropped_to,
      'lines', h.dropped_lines, 'afterDays', h.removed_after_days, 'isMidLine', coalesce((
        select get_byte(d.data, (h.dropped_from - 1 - d."offset")::int) <> 10 from (
          select c.data, c."offset" from log_chunk c
          where c.task_id = h.task_id and c.attempt = h.attempt and c."offset" < h.dropped_from
          order by c."offset" desc limit 1) d), false)) end`;

/** The chunk that holds the first byte, where there is one, and those that begin within the length. */
const chunksFrom = (db: Database, taskId: string, attempt: number, from: number, length: number) =>
  db.sql`
    select "offset", data from log_chunk
    where task_id = ${taskId} and attempt = ${attempt} and "offset" + octet_length(data) > ${from}
      and "offset" < ${from + length} and "offset" >= coalesce((
      select max("offset") from log_chunk where task_id = ${taskId} and attempt = ${attempt} and "offset" <= ${from}), 0)`;

/** No view of a part of a chunk: whoever remembers a little of it, or nothing, would hold all of it for as long. */
function cut(chunks: readonly { offset: number; data: Uint8Array }[], from: number, to: number): Uint8Array {
  const pieces = chunks.map(({ offset, data }) =>
    data.subarray(Math.max(0, from - offset), Math.max(0, Math.min(data.length, to - offset)))
  ).filter((piece) => piece.length > 0);
  const isWhole = pieces.length === 1 && pieces[0]!.length === pieces[0]!.buffer.byteLength;
  return isWhole ? pieces[0]! : concatBytes(pieces);
}

export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
