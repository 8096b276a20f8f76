/**
 * Reads new events once for all streams of this process.
 *
 *   hint -> (25 ms since the last read) -> read what is certain -> keep it -> wake the streams
 *   no hint for a second -> read anyway      events that wait for an older transaction -> look again soon
 *
 * A stream asks with its own cursor: for what is kept here out of memory, for older things out of the database. So the
 * feed holds no queue for anybody, and a slow stream is only one that asks rarely. It reads while somebody listens.
 */
import type { Database } from "../../db/database.ts";
import { compareCursors, hasUndecidedEvents, readEvents, readSettled } from "../../db/events/read_events.ts";
import type { EventCursor, EventRow } from "../../db/events/read_events.ts";
import type { Hints } from "../../db/hints.ts";
import type { Clock, Logger } from "../../domain/ports.ts";
import { SWEEP_MS } from "./follow_log.ts";
import { createWaiter } from "./waiter.ts";
import type { Waiter } from "./waiter.ts";

export interface EventFeed {
  /** @param onNews called when there may be events after one's cursor. Returns how to leave. */
  listen(onNews: () => void): () => void;
  /** The certain events after a cursor, in order, at most `limit`. */
  after(cursor: EventCursor, limit: number): Promise<EventRow[]>;
}
const COLLECT_MS = 25;
const READ_ROWS = 2000;
const KEPT_ROWS = 20_000;

interface Reading {
  waiter: Waiter;
  /** Everything that is certain between `from` and `head`. */
  kept?: { from: EventCursor; head: EventCursor; rows: EventRow[] };
}

export function createEventFeed(deps: { db: Database; hints: Hints; clock: Clock; logger: Logger }): EventFeed {
  const listeners = new Set<() => void>();
  let reading: Reading | undefined;

  const run = async (mine: Reading) => {
    const { waiter } = mine;
    let lastRead = -Infinity;
    let recheckMs = COLLECT_MS;
    const unsubscribe = deps.hints.on("events", () => {
      if (deps.clock.monotonic() - lastRead > COLLECT_MS) waiter.wake();
      else waiter.wakeSoon(COLLECT_MS);
    });
    while (!waiter.closed) {
      try {
        lastRead = deps.clock.monotonic();
        const settled = await readSettled(deps.db.sql);
        const news = await readNews(deps.db, mine, settled);
        if (news > 0) { for (const onNews of [...listeners]) onNews(); }
        if (news === READ_ROWS) continue;
        recheckMs = news > 0 ? COLLECT_MS : Math.min(recheckMs * 2, SWEEP_MS);
        if (await hasUndecidedEvents(deps.db, settled)) waiter.wakeSoon(recheckMs);
      } catch (error: unknown) {
        // The database is away; the cursor stands, so nothing is lost while it is.
        if (!waiter.closed) {
          deps.logger.log("WARN", "live events could not be read; trying again", { error: String(error) });
        }
      }
      await waiter.wait(SWEEP_MS);
    }
    unsubscribe();
  };

  return {
    listen(onNews) {
      listeners.add(onNews);
      if (!reading) {
        reading = { waiter: createWaiter(deps.clock) };
        void run(reading);
      }
      return () => {
        listeners.delete(onNews);
        if (listeners.size > 0) return;
        reading?.waiter.close();
        reading = undefined;
      };
    },
    async after(cursor, limit) {
      const kept = reading?.kept;
      if (!kept || compareCursors(cursor, kept.from) < 0) {
        return await readEvents(deps.db, cursor, limit, await readSettled(deps.db.sql));
      }
      const { rows } = kept;
      let low = 0;
      for (let high = rows.length; low < high;) {
        const middle = (low + high) >> 1;
        if (compareCursors(rows[middle]!, cursor) > 0) high = middle;
        else low = middle + 1;
      }
      return rows.slice(low, low + limit);
    },
  };
}

async function readNews(db: Database, reading: Reading, settled: string): Promise<number> {
  if (!reading.kept) {
    const from = { xid: settled, id: 0 };
    reading.kept = { from, head: from, rows: [] };
  }
  const { from, head, rows: known } = reading.kept;
  const news = await readEvents(db, head, READ_ROWS, settled);
  if (news.length === 0) return 0;
  const rows = [...known, ...news];
  const dropped = Math.max(0, rows.length - KEPT_ROWS);
  reading.kept = {
    from: dropped > 0 ? rows[dropped - 1]! : from,
    head: news.at(-1)!,
    rows: dropped > 0 ? rows.slice(dropped) : rows,
  };
  return news.length;
}
