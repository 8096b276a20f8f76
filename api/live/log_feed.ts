/**
 * Reads what was just written once for all who follow it in this process.
 *
 *   reader at (attempt, offset) -> just stored by this very process: those bytes
 *                               -> a part that was read for another: that one
 *                               -> somebody is reading it: the same
 *                               -> nothing there a moment ago, no hint since: nothing
 *                               -> the database
 *
 * Stored bytes never change, so a part stays true as long as it is kept; readers that stand at the head walk from part to
 * part together. A reader elsewhere reads for itself until it gets there. Kept while somebody follows, and bounded.
 */
import type { Database } from "../../db/database.ts";
import type { Hints } from "../../db/hints.ts";
import { readLog } from "../../db/logs/read_log.ts";
import type { LogPart, LogPosition } from "../../db/logs/read_log.ts";
import type { Clock } from "../../domain/ports.ts";

export interface LogFeed {
  /** Keeps what is read and stored of this task as long as the reader stays. @returns how to leave */
  join(taskId: string): () => void;
  /** As `readLog`. A part that was kept may know less of what came after it. */
  read(taskId: string, at: LogPosition): Promise<LogPart | undefined>;
}
/** Bytes read at once. */
export const LOG_PIECE_BYTES = 128 * 1024;
const KEPT_BYTES = 1024 * 1024;
/** A lost hint must not keep a reader waiting longer than its own sweep. */
const QUIET_MS = 900;
const KNOWN_TASKS = 1000;

export function createLogFeed(deps: { db: Database; hints: Hints; clock: Clock }): LogFeed {
  let readers = 0;
  /** By place, oldest first. */
  const parts = new Map<string, LogPart>();
  let keptBytes = 0;
  const reading = new Map<string, { begunAt: number; part: Promise<LogPart | undefined> }>();
  /** Of each task the place that had nothing behind it last: a log that grows has a new one with every read. */
  const quiet = new Map<string, { place: string; askedAt: number; since: number; part: LogPart }>();
  /** Counts hints, so that an answer from before one is not taken for one from after it. */
  let hints = 0;
  let lastOfAll = 0;
  const lastOf = new Map<string, number>();
  let unsubscribe: (() => void)[] = [];

  const lastHint = (taskId: string) => Math.max(lastOfAll, lastOf.get(taskId) ?? 0);
  const hear = (taskId: string | undefined) => {
    hints++;
    if (taskId !== undefined && lastOf.size < KNOWN_TASKS) return void lastOf.set(taskId, hints);
    lastOfAll = hints;
    lastOf.clear();
    quiet.clear();
  };

  function keep(place: string, part: LogPart) {
    if (parts.has(place)) return;
    parts.set(place, part);
    keptBytes += part.bytes.length;
    for (const [oldest, { bytes }] of parts) {
      if (keptBytes <= KEPT_BYTES) break;
      parts.delete(oldest);
      keptBytes -= bytes.length;
    }
  }

  async function readNow(place: string, taskId: string, at: LogPosition): Promise<LogPart | undefined> {
    const askedAt = hints;
    const part = await readLog(deps.db, taskId, at, LOG_PIECE_BYTES);
    // The range that a marker stands for may grow, and a task that has ended may be tried again.
    if (!part || part.isMarker || part.isEnd || readers === 0) return part;
    if (part.bytes.length > 0) keep(place, part);
    else quiet.set(taskId, { place, askedAt, since: deps.clock.monotonic(), part });
    return part;
  }

  return {
    join(taskId) {
      const unfollow = deps.db.recentLogs?.follow(taskId);
      if (readers++ === 0) {
        unsubscribe = [deps.hints.on("log", hear), deps.hints.on("events", () => hear(undefined))];
      }
      let isIn = true;
      return () => {
        if (!isIn) return;
        isIn = false;
        unfollow?.();
        if (--readers > 0) return;
        for (const end of unsubscribe) end();
        parts.clear();
        quiet.clear();
        lastOf.clear();
        keptBytes = 0;
      };
    },
    read(taskId, at) {
      const recent = deps.db.recentLogs?.read(taskId, at);
      if (recent && recent.bytes.length > 0) return Promise.resolve(storedPart(at, recent));
      const place = `${taskId} ${at.attempt} ${at.offset}`;
      const kept = parts.get(place);
      if (kept) return Promise.resolve(kept);
      const last = lastHint(taskId);
      const nothing = quiet.get(taskId);
      if (
        nothing?.place === place && nothing.askedAt >= last && deps.clock.monotonic() - nothing.since < QUIET_MS
      ) return Promise.resolve(nothing.part);
      const running = reading.get(place);
      if (running && running.begunAt >= last) return running.part;
      const part = readNow(place, taskId, at).finally(() => {
        if (reading.get(place)?.part === part) reading.delete(place);
      });
      reading.set(place, { begunAt: hints, part });
      return part;
    },
  };
}

/** Nothing was dropped of what is that new; whether the task has ended meanwhile, the next read says. */
const storedPart = ({ attempt, offset }: LogPosition, { bytes, end }: { bytes: Uint8Array; end: number }): LogPart => ({
  attempt,
  offset,
  bytes,
  next: offset + bytes.length,
  head: end,
  isMarker: false,
  isEnd: false,
});
