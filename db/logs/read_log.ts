/** Output as it was stored, by byte offset within an attempt. Only `append_chunks.ts` writes it. */
import { isFinal } from "../../domain/task_state.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { Database } from "../database.ts";

/** Where a reader stands in a task's output. */
export interface LogPosition {
  attempt: number;
  offset: number;
}
export interface LogPart extends LogPosition {
  /** From `offset` on; empty when nothing is there yet. */
  bytes: Uint8Array;
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
}

/** @param attempt of a leaf; the latest when absent, and always the latest of a parent's parts */
export async function findTaskLog(
  db: Database,
  projectId: string,
  taskId: string,
  attempt?: number,
): Promise<TaskLog | undefined> {
  const rows = await db.sql<SourceRow[]>`
    select t.id, t.name, t.state, t.is_leaf, t.attempt as latest, coalesce(h.bytes, 0)::bigint as bytes
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
    { state: TaskState; latest: number; head: number; offset: number | null; data: Uint8Array | null }[]
  >`
    select t.state, t.attempt as latest, coalesce(h.bytes, 0)::bigint as head, c."offset", c.data
    from task t
    left join log_head h on h.task_id = t.id and h.attempt = ${at.attempt}
    left join lateral (${chunksFrom(db, taskId, at.attempt, at.offset, maxBytes)}) c on true
    where t.id = ${taskId} order by c."offset"`;
  const first = rows[0];
  if (!first) return undefined;
  const chunks = rows.flatMap((r) => r.data === null ? [] : [{ offset: r.offset!, data: r.data }]);
  const bytes = cut(chunks, at.offset, at.offset + maxBytes);
  const atHead = at.offset + bytes.length >= first.head;
  if (bytes.length === 0 && atHead && first.latest > at.attempt) {
    return await readLog(db, taskId, { attempt: at.attempt + 1, offset: 0 }, maxBytes);
  }
  return { ...at, bytes, head: first.head, isEnd: atHead && isFinal(first.state) && first.latest <= at.attempt };
}

/** Exactly these bytes of an attempt, fewer past its end. */
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

/** How far each attempt of these tasks reaches. */
export function readLogHeads(
  db: Database,
  taskIds: readonly string[],
): Promise<{ taskId: string; attempt: number; bytes: number }[]> {
  return db.sql<{ taskId: string; attempt: number; bytes: number }[]>`
    select task_id, attempt, bytes from log_head where task_id = any(${[...taskIds]}::uuid[])`;
}

/** The chunk that holds the first byte, and those that begin within the length. */
const chunksFrom = (db: Database, taskId: string, attempt: number, from: number, length: number) =>
  db.sql`
    select "offset", data from log_chunk
    where task_id = ${taskId} and attempt = ${attempt} and "offset" < ${from + length} and "offset" >= coalesce((
      select max("offset") from log_chunk where task_id = ${taskId} and attempt = ${attempt} and "offset" <= ${from}), 0)`;

function cut(chunks: readonly { offset: number; data: Uint8Array }[], from: number, to: number): Uint8Array {
  const pieces = chunks.map(({ offset, data }) =>
    data.subarray(Math.max(0, from - offset), Math.max(0, Math.min(data.length, to - offset)))
  );
  return pieces.length === 1 ? pieces[0]! : concatBytes(pieces);
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
