/**
 * Stores log chunks, many at once, each only under the live fence of its task.
 *
 * A chunk that is already there is passed over, one that leaves a gap is refused; either way the answer is how many bytes
 * of the attempt's log are durable, and the agent goes on from there. So what is stored has no gap and no duplicate, but
 * for the middle of a log that outgrew its cap (`drop_middle.ts`).
 */
import type { Database, Tx } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { dropMiddle } from "./drop_middle.ts";
import type { DroppedRange } from "./drop_middle.ts";

/** Bytes that are kept of the log of one attempt. */
export const LOG_CAP_BYTES = 1024 ** 3;

export interface NewChunk {
  taskId: string;
  fence: number;
  /** Who sends it: only the last holder of the lease is believed, also when the task has ended meanwhile. */
  agentId: string;
  sequence: number;
  offset: number;
  data: Uint8Array;
  /** The same as text, where the bytes came as one: sent on as it is, half as long as the hex digits of bytes. */
  text?: string;
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
  droppedLines: number | null;
}

/** @returns the position of each task whose fence holds; a task that is missing belongs to a newer lease */
export async function appendChunks(
  db: Database,
  chunks: readonly NewChunk[],
  capBytes = LOG_CAP_BYTES,
): Promise<LogPosition[]> {
  const ids = [...new Set(chunks.map((c) => c.taskId))].sort();
  const { stored, positions } = await inTransaction(db, async (tx) => {
    // `for share`: a claim of the task (which would move the fence) waits until these chunks are in.
    const heads = await tx<Head[]>`
      select t.id, t.fence, t.last_agent_id as agent_id, t.attempt, coalesce(h.next_sequence, 0) as next_sequence, coalesce(h.bytes, 0) as bytes,
        h.dropped_from, h.dropped_to, h.dropped_lines
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
        text: chunk.text,
      });
      head.nextSequence++;
      head.bytes += chunk.data.length;
      moved.add(head);
    }
    if (rows.length > 0) {
      await tx`insert into log_chunk (task_id, attempt, sequence, "offset", data) values ${valuesOf(tx, rows)}`;
      const heads = [...moved].map((h) => ({
        taskId: h.id,
        attempt: h.attempt,
        nextSequence: h.nextSequence,
        bytes: h.bytes,
      }));
      await tx`insert into log_head ${
        tx(heads)
      } on conflict (task_id, attempt) do update set next_sequence = excluded.next_sequence, bytes = excluded.bytes`;
      for (const head of moved) {
        const dropped = droppedOf(head);
        const kept = head.bytes - (dropped ? dropped.to - dropped.from : 0);
        if (kept > capBytes) await dropMiddle(tx, { ...head, taskId: head.id }, dropped, capBytes);
      }
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
    return { stored: rows, positions };
  });
  db.recentLogs?.stored(stored);
  return positions;
}

interface Row {
  taskId: string;
  attempt: number;
  sequence: number;
  offset: number;
  data: Uint8Array;
  text: string | undefined;
}

function valuesOf(tx: Tx, rows: readonly Row[]) {
  // NUL is no part of any text there.
  const bytes = (row: Row) =>
    row.text === undefined || row.text.includes("\0") ? tx`${row.data}` : tx`convert_to(${row.text}::text, 'UTF8')`;
  return rows.map((row, i) =>
    tx`${i === 0 ? tx`` : tx`,`} (${row.taskId}, ${row.attempt}, ${row.sequence}, ${row.offset}, ${bytes(row)})`
  );
}

const droppedOf = (head: Head): DroppedRange | undefined =>
  head.droppedFrom === null ? undefined : { from: head.droppedFrom, to: head.droppedTo!, lines: head.droppedLines! };
const isOf = (head: Head, chunk: NewChunk) => head.fence === chunk.fence && head.agentId === chunk.agentId;
