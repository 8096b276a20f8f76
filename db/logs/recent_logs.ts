/**
 * The newest bytes of the logs that somebody follows in this process, kept as they were stored, so that a follower need
 * not ask the database for what this very process has just put there. Only what is committed comes in, and only in order;
 * what another master stores does not, and whoever finds nothing here asks the database. Bounded: the oldest bytes go,
 * and what as many have read as there are followers.
 */
import { bytesOf, sizeOf } from "../../domain/log_data.ts";
import type { LogData } from "../../domain/log_data.ts";

/** A byte of an attempt's log. */
interface Position {
  attempt: number;
  offset: number;
}
export interface StoredChunk {
  taskId: string;
  attempt: number;
  offset: number;
  data: LogData;
}
export interface RecentLogs {
  /** Keeps what comes of this task from now on. @returns how to end it */
  follow(taskId: string): () => void;
  isFollowed(taskId: string): boolean;
  /** To be called after the commit. */
  stored(chunks: readonly StoredChunk[]): void;
  /**
   * The bytes from a position on, as many as lie together; none at the end of what is kept.
   * @returns undefined where the database must be asked
   */
  read(taskId: string, at: Position): { bytes: Uint8Array; end: number } | undefined;
}
/** Of all tasks; a follower further behind reads the database. */
const KEPT_BYTES = 2 * 1024 * 1024;

interface Tail {
  followers: number;
  attempt: number;
  chunks: { offset: number; size: number; data: LogData; reads: number }[];
  end: number;
}

export function createRecentLogs(): RecentLogs {
  /** Followed tasks, the one that was written to last at the end. */
  const tails = new Map<string, Tail>();
  let keptBytes = 0;

  const clear = (tail: Tail) => {
    for (const { size } of tail.chunks) keptBytes -= size;
    tail.chunks = [];
  };
  const dropFirst = (tail: Tail) => keptBytes -= tail.chunks.shift()!.size;
  const shrink = () => {
    for (const tail of tails.values()) {
      while (keptBytes > KEPT_BYTES && tail.chunks.length > 0) dropFirst(tail);
      if (keptBytes <= KEPT_BYTES) return;
    }
  };

  return {
    follow(taskId) {
      const tail = tails.get(taskId) ?? { followers: 0, attempt: 0, chunks: [], end: 0 };
      tails.set(taskId, tail);
      tail.followers++;
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        if (--tail.followers > 0) return;
        clear(tail);
        tails.delete(taskId);
      };
    },
    isFollowed: (taskId) => tails.has(taskId),
    stored(chunks) {
      for (const { taskId, attempt, offset, data } of chunks) {
        const tail = tails.get(taskId);
        if (!tail) continue;
        // Two commits may report in another order than they were made; a hole is left to the database.
        if (tail.attempt === attempt && offset < tail.end) continue;
        if (tail.attempt !== attempt || offset > tail.end) clear(tail);
        tail.attempt = attempt;
        const size = sizeOf(data);
        tail.chunks.push({ offset, size, data, reads: 0 });
        tail.end = offset + size;
        keptBytes += size;
        tails.delete(taskId);
        tails.set(taskId, tail);
      }
      shrink();
    },
    read(taskId, { attempt, offset }) {
      const tail = tails.get(taskId);
      if (!tail || tail.attempt !== attempt || offset > tail.end) return undefined;
      if (offset === tail.end) return { bytes: new Uint8Array(), end: tail.end };
      const first = tail.chunks[0];
      if (!first || offset < first.offset) return undefined;
      let low = 0;
      for (let high = tail.chunks.length - 1; low < high;) {
        const middle = (low + high + 1) >> 1;
        if (tail.chunks[middle]!.offset <= offset) low = middle;
        else high = middle - 1;
      }
      const chunk = tail.chunks[low]!;
      const bytes = bytesOf(chunk.data);
      chunk.data = bytes;
      chunk.reads++;
      while (tail.chunks[0] && tail.chunks[0].reads >= tail.followers) dropFirst(tail);
      return { bytes: offset === chunk.offset ? bytes : bytes.subarray(offset - chunk.offset), end: tail.end };
    },
  };
}
