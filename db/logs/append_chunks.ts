/**
 * Stores log chunks, many at once, each only under the live fence of its task.
 *
 * A chunk that is already there is passed over, one that leaves a gap is refused; either way the answer is how many bytes
 * of the attempt's log are durable, and the agent goes on from there. So what is stored has no gap and no duplicate, but
 * for the middle of a log that outgrew its cap (`drop_middle.ts`).
 */
import { bytesOf, sizeOf } from "../../domain/log_data.ts";
import type { LogData } from "../../domain/log_data.ts";
import type { Database, Tx } from "../database.ts";
import { Closing, inTransaction } from "../retry.ts";
import { keepWithinCap } from "./keep_within_cap.ts";

/** Bytes that are kept of the log of a task, all its attempts together. */
export const LOG_CAP_BYTES = 1024 ** 3;

export interface NewChunk {
  taskId: string;
  fence: number;
  /** Who sends it: only the last holder of the lease is believed, also when the task has ended meanwhile. */
  agentId: string;
  sequence: number;
  offset: number;
  data: LogData;
}
export interface LogPosition {
  taskId: string;
  fence: number;
  agentId: string;
  attempt: number;
  /** Bytes that are durable. */
  offset: number;
}
interface Head {
  id: string;
  fence: number;
  agentId: string;
  attempt: number;
  nextSequence: number;
  bytes: number;
  droppedFrom: number | null;
  droppedTo: number | null;
  /** Bytes that are kept of the attempts before. */
  keptBefore: number;
}

/** @returns the position of each task whose fence holds; a task that is missing belongs to a newer lease */
export async function appendChunks(
  db: Database,
  chunks: readonly NewChunk[],
  capBytes = LOG_CAP_BYTES,
): Promise<LogPosition[]> {
  const ids = [...new Set(chunks.map((c) => c.taskId))].sort();
  const { stored, positions } = await inTransaction<Stored>(db, async (tx) => {
    // `for share`: a claim of the task (which would move the fence) waits until these chunks are in.
    const heads = await tx<Head[]>`
      select t.id, t.fence, t.last_agent_id as agent_id, t.attempt, coalesce(h.next_sequence, 0) as next_sequence, coalesce(h.bytes, 0) as bytes,
        h.dropped_from, h.dropped_to, case when t.attempt > 1 then (
          select coalesce(sum(o.bytes - coalesce(o.dropped_to - o.dropped_from, 0)), 0)
          from log_head o where o.task_id = t.id and o.attempt < t.attempt) else 0 end::bigint as kept_before
      from task t left join log_head h on h.task_id = t.id and h.attempt = t.attempt
      where t.id = any(${ids}::uuid[]) order by t.id for share of t`;
    const byId = new Map(heads.map((h) => [h.id, h]));
    const rows: Row[] = [];
    const moved = new Set<Head>();
    for (const chunk of [...chunks].sort((a, b) => a.sequence - b.sequence)) {
      const head = byId.get(chunk.taskId);
      if (!head || !isOf(head, chunk)) continue;
      if (chunk.sequence !== head.nextSequence || chunk.offset !== head.bytes) continue;
      rows.push({
        taskId: head.id,
        attempt: head.attempt,
        sequence: chunk.sequence,
        offset: chunk.offset,
        data: chunk.data,
      });
      head.nextSequence++;
      head.bytes += sizeOf(chunk.data);
      moved.add(head);
    }
    // Of one task, chunks of an old lease and of the live one may meet here.
    const live = new Set(chunks.filter((c) => byId.has(c.taskId) && isOf(byId.get(c.taskId)!, c)).map((c) => c.taskId));
    const positions = heads.filter((h) => live.has(h.id)).map((h) => ({
      taskId: h.id,
      fence: h.fence,
      agentId: h.agentId,
      attempt: h.attempt,
      offset: h.bytes,
    }));
    const answer = { stored: rows, positions };
    if (rows.length === 0) return answer;
    const writes = [
      ...inPieces(rows).map((piece) =>
        tx`insert into log_chunk (task_id, attempt, sequence, "offset", data) values ${valuesOf(tx, piece)}`
      ),
      tx`insert into log_head ${
        tx([...moved].map(({ id, attempt, nextSequence, bytes }) => ({ taskId: id, attempt, nextSequence, bytes })))
      } on conflict (task_id, attempt) do update set next_sequence = excluded.next_sequence, bytes = excluded.bytes`,
    ];
    const outgrown = [...moved].filter((head) => head.keptBefore + keptOf(head) > capBytes);
    if (outgrown.length === 0) return new Closing(writes, () => answer);
    await Promise.all(writes);
    for (const head of outgrown) await keepWithinCap(tx, head.id, head.attempt, capBytes);
    return answer;
  });
  db.recentLogs?.stored(stored);
  return positions;
}

interface Row {
  taskId: string;
  attempt: number;
  sequence: number;
  offset: number;
  data: LogData;
}

interface Stored {
  stored: Row[];
  positions: LogPosition[];
}

/** Of one statement. The driver copies all that it has of one each time its buffer grows; a piece fits after one growth. */
const PIECE_BYTES = 32 * 1024;

function inPieces(rows: readonly Row[]): Row[][] {
  const pieces: Row[][] = [];
  let room = -1;
  for (const row of rows) {
    const size = sizeOf(row.data);
    if (size > room) {
      pieces.push([]);
      room = PIECE_BYTES;
    }
    pieces.at(-1)!.push(row);
    room -= size;
  }
  return pieces;
}

function valuesOf(tx: Tx, rows: readonly Row[]) {
  // A text is half as long as the hex digits of its bytes. NUL is no part of any text there.
  const bytes = ({ data }: Row) =>
    typeof data === "string" && !data.includes("\0") ? tx`convert_to(${data}::text, 'UTF8')` : tx`${bytesOf(data)}`;
  return rows.map((row, i) =>
    tx`${i === 0 ? tx`` : tx`,`} (${row.taskId}, ${row.attempt}, ${row.sequence}, ${row.offset}, ${bytes(row)})`
  );
}

const keptOf = (head: Head) => head.bytes - (head.droppedFrom === null ? 0 : head.droppedTo! - head.droppedFrom);
const isOf = (head: Head, chunk: NewChunk) => head.fence === chunk.fence && head.agentId === chunk.agentId;
