/**
 * One event stream for one page.
 *
 *   reader pulls -> events after the cursor, logs after their positions -> something: give it, with the resume point
 *                                                                       -> nothing: wait for news, a hint, a sweep, a ping
 *
 * All it holds is where its reader stands: a slow reader pulls rarely and costs nobody anything. The same resume point,
 * brought back by the reader, continues on any master; a crash loses nothing.
 */
import { countEventsAfter, presentCursor } from "../../db/events/read_events.ts";
import type { EventCursor } from "../../db/events/read_events.ts";
import type { LogPosition } from "../../db/logs/read_log.ts";
import type { LiveEvent } from "../../protocol/live_events.ts";
import type { EventFeed } from "./event_feed.ts";
import { encodeFrames, eventFrame, PING_FRAME, PING_MS, RETRY_FRAME } from "./event_frame.ts";
import { SWEEP_MS } from "./follow_log.ts";
import type { FollowDeps } from "./follow_log.ts";
import { createLogReaders } from "./log_readers.ts";
import { pullStream, untilShutdown } from "./pull_stream.ts";
import { formatResumePoint } from "./resume_point.ts";
import type { ResumePoint } from "./resume_point.ts";
import { tellChanges } from "./tell_changes.ts";
import type { Topics } from "./topics.ts";
import { createWaiter } from "./waiter.ts";

export interface LiveStream {
  body: ReadableStream<Uint8Array>;
  /** What the stream serves from now on. */
  setTopics(topics: Topics): void;
}
export interface LiveStreamInput {
  streamId: string;
  projectId: string;
  topics: Topics;
  /** Where the reader stands; undefined on a first connection, "unreadable" when its id is none of ours. */
  resume: ResumePoint | "unreadable" | undefined;
  onOpen(): void;
  onClose(): void;
}
const EVENT_ROWS = 500;
/** A reader that missed more than this is quicker with a fresh page. */
const MAX_MISSED = 20_000;

export function createLiveStream(deps: FollowDeps, feed: EventFeed, input: LiveStreamInput): LiveStream {
  let { topics } = input;
  const logs = createLogReaders(deps);
  const resume = input.resume === "unreadable" ? undefined : input.resume;
  logs.follow(topics.logs, resume?.logs);
  let wake = () => {};

  const open = () => {
    const ends: (() => void)[] = [];
    const waiter = createWaiter(deps.clock, () => {
      for (const end of ends) end();
    });
    wake = waiter.wake;
    let cursor: EventCursor | undefined;
    let hasNews = true;
    let lastGiven = deps.clock.monotonic();
    let lastSwept = lastGiven;
    let lastId = "";

    const frame = (event: LiveEvent, at: EventCursor, positions: ReadonlyMap<string, LogPosition>) => {
      lastId = formatResumePoint({ cursor: at, logs: positions });
      return eventFrame({ event: event.type, id: lastId, data: event });
    };

    /** Listening comes before the cursor: what happens from here on is either behind the cursor or wakes us. */
    const begin = async (): Promise<string> => {
      logs.open();
      ends.push(
        logs.close,
        feed.listen(() => {
          hasNews = true;
          waiter.wake();
        }),
        deps.hints.on("log", (taskId) => {
          if (taskId !== undefined && !topics.logs.has(taskId)) return;
          logs.look(taskId);
          waiter.wake();
        }),
        input.onClose,
      );
      input.onOpen();
      ends.push(untilShutdown(deps.shutdown, waiter.close));
      const missed = resume ? await countEventsAfter(deps.db, resume.cursor, MAX_MISSED + 1) : -1;
      const canResume = resume !== undefined && missed >= 0 && missed <= MAX_MISSED;
      const start = cursor = canResume ? resume.cursor : await presentCursor(deps.db);
      const refused = topics.refused.length > 0 ? { refused: topics.refused } : {};
      const first = frame({ type: "stream", streamId: input.streamId, ...refused }, start, logs.positions());
      if (canResume || input.resume === undefined) return RETRY_FRAME + first;
      const why = missed > MAX_MISSED ? "More has happened than can be told." : "The place to go on from is unknown.";
      return RETRY_FRAME + first + frame({ type: "reset", reason: why }, start, logs.positions());
    };

    /** States first, with the old cursor: were the stream cut among them, all are told again. */
    const tellEvents = async (from: EventCursor): Promise<string> => {
      const all = await feed.after(from, EVENT_ROWS);
      hasNews = all.length === EVENT_ROWS;
      if (all.length === 0) return "";
      const rows = all.filter((row) => row.projectId === input.projectId);
      const { states, timeline } = await tellChanges(deps.db, topics, rows);
      const told = [
        ...states.map((event) => ({ event, at: from })),
        ...timeline.map(({ event, row }) => ({ event, at: { xid: row.xid, id: row.id } })),
      ];
      const end = all.at(-1)!;
      cursor = { xid: end.xid, id: end.id };
      if (told.length > 0) told.at(-1)!.at = cursor;
      const positions = logs.positions();
      // The end of a task ends its log.
      for (const row of rows) if (row.topic === "task" && row.subjectId) logs.look(row.subjectId);
      return told.map(({ event, at }) => frame(event, at, positions)).join("");
    };

    const collect = async (): Promise<string> => {
      if (!cursor) return await begin();
      const events = hasNews ? await tellEvents(cursor) : "";
      if (deps.clock.monotonic() - lastSwept >= SWEEP_MS) {
        lastSwept = deps.clock.monotonic();
        await logs.sweep();
      }
      const at = cursor;
      const bytes = (await logs.read()).map(({ event, positions }) => frame(event, at, positions)).join("");
      return events + bytes;
    };

    /** Carries the resume point too, so that a quiet page does not fall behind. */
    const ping = (at: EventCursor): string => {
      const id = formatResumePoint({ cursor: at, logs: logs.positions() });
      if (id === lastId) return PING_FRAME;
      lastId = id;
      return `id: ${id}\n${PING_FRAME}`;
    };

    return {
      async next() {
        while (!waiter.closed) {
          let given = await collect();
          const now = deps.clock.monotonic();
          if (!given && now - lastGiven >= PING_MS) given = ping(cursor!);
          if (given) {
            lastGiven = now;
            return encodeFrames(given);
          }
          if (!hasNews) await waiter.wait(SWEEP_MS);
        }
        return undefined;
      },
      close: waiter.close,
    };
  };

  return {
    body: pullStream(open, deps),
    setTopics(next) {
      topics = next;
      logs.follow(next.logs);
      wake();
    },
  };
}
