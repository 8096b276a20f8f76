/** The logs that one stream follows, each where its reader stands. Nothing is held but positions. */
import type { Database } from "../../db/database.ts";
import { findGrownLogs } from "../../db/logs/find_grown_logs.ts";
import type { LogPosition } from "../../db/logs/read_log.ts";
import type { LiveEvent } from "../../protocol/live_events.ts";
import { encodeLogBytes } from "../../protocol/chunk_encoding.ts";
import { onceFor } from "./event_frame.ts";
import type { LogFeed } from "./log_feed.ts";
import { findResync, isBehind } from "./resync.ts";
import type { Topics } from "./topics.ts";

/** Bytes given for one pull. */
const PULL_BYTES = 256 * 1024;
const encodedOf = onceFor((bytes: Uint8Array) => encodeLogBytes(bytes));

interface Reader extends LogPosition {
  leave(): void;
  mayHaveMore: boolean;
  isEnded: boolean;
  /** The reader asked for what was there already: up to here it is no laggard. `null` until the head is known. */
  history: LogPosition | null | undefined;
}
export interface LogReaders {
  /** From now on what is followed is kept at hand, until `close`. */
  open(): void;
  close(): void;
  /** Those that are followed already stay where they are. */
  follow(logs: Topics["logs"], resumed?: ReadonlyMap<string, LogPosition>): void;
  look(taskId: string | undefined): void;
  /** Finds growth that no hint spoke of. */
  sweep(): Promise<void>;
  /** The next bytes, ends and gaps of all logs in turn, each with what to resume with after it. */
  read(): Promise<{ event: LiveEvent; positions: Map<string, LogPosition> }[]>;
  positions(): Map<string, LogPosition>;
}

export function createLogReaders({ db, logs: feed }: { db: Database; logs: LogFeed }): LogReaders {
  /** In order of their turn. */
  const readers = new Map<string, Reader>();
  let isOpen = false;

  async function readOne(taskId: string, reader: Reader): Promise<LiveEvent[]> {
    reader.mayHaveMore = false; // what is told of meanwhile is looked at again
    const part = await feed.read(taskId, reader);
    if (!part) return [];
    if (reader.history === null) reader.history = { attempt: part.attempt, offset: part.head };
    reader.attempt = part.attempt;
    reader.offset = part.offset;
    const passedOver = isBehind(part, reader.history ?? undefined)
      ? await findResync(db, taskId, part)
      : part.isMarker
      ? part.next
      : undefined;
    if (passedOver !== undefined) {
      reader.offset = passedOver;
      reader.mayHaveMore = true;
      const { attempt, offset } = part;
      return [{ type: "logGap", taskId, attempt, offset, bytes: passedOver - offset }];
    }
    const events: LiveEvent[] = [];
    if (part.bytes.length > 0) {
      const { attempt, offset } = part;
      events.push({ type: "log", taskId, attempt, offset, ...encodedOf(part.bytes) });
      reader.offset += part.bytes.length;
      // Also past the head: another attempt may stand behind it.
      reader.mayHaveMore = !part.isEnd;
      reader.isEnded = false;
    }
    if (part.isEnd && !reader.isEnded) {
      reader.isEnded = true;
      events.push({ type: "logEnd", taskId });
    }
    return events;
  }

  return {
    open() {
      isOpen = true;
      for (const [taskId, reader] of readers) reader.leave = feed.join(taskId);
    },
    close() {
      isOpen = false;
      for (const reader of readers.values()) reader.leave();
    },
    follow(logs, resumed) {
      for (const [taskId, reader] of [...readers]) {
        if (logs.has(taskId)) continue;
        reader.leave();
        readers.delete(taskId);
      }
      for (const [taskId, { attempt, offset, isAsked }] of logs) {
        if (readers.has(taskId)) continue;
        const before = resumed?.get(taskId);
        readers.set(taskId, {
          ...(before ?? { attempt, offset }),
          leave: isOpen ? feed.join(taskId) : () => {},
          mayHaveMore: true,
          isEnded: false,
          history: before || isAsked ? null : undefined,
        });
      }
    },
    look(taskId) {
      const wanted = taskId === undefined ? [...readers.values()] : [readers.get(taskId)];
      for (const reader of wanted) if (reader) reader.mayHaveMore = true;
    },
    async sweep() {
      const quiet = [...readers].filter(([, r]) => !r.mayHaveMore).map(([taskId, r]) => ({ taskId, ...r }));
      for (const taskId of await findGrownLogs(db, quiet)) this.look(taskId);
    },
    async read() {
      const told: { event: LiveEvent; positions: Map<string, LogPosition> }[] = [];
      let size = 0;
      for (const [taskId, reader] of [...readers]) {
        if (!reader.mayHaveMore) continue;
        const news = await readOne(taskId, reader);
        if (readers.delete(taskId)) readers.set(taskId, reader);
        const positions = this.positions();
        told.push(...news.map((event) => ({ event, positions })));
        size += news.reduce((sum, e) => sum + (e.type === "log" ? e.data.length : 0), 0);
        if (size >= PULL_BYTES) break;
      }
      return told;
    },
    positions: () => new Map([...readers].map(([taskId, { attempt, offset }]) => [taskId, { attempt, offset }])),
  };
}
