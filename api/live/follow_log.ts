/**
 * Follows one leaf's output to its end.
 *
 *   read from the position -> something: give it
 *                          -> far behind what is being written: say how much is passed over, go on near the end
 *                          -> nothing, task final: the end
 *                          -> nothing yet: wait for a hint (new bytes, any event), at most a sweep -> read again
 *
 * The truth is always read from the database by offset, so a lost hint costs a second and a reader that goes away
 * leaves nothing but a subscription, which `close` ends.
 */
import type { Database } from "../../db/database.ts";
import type { Hints } from "../../db/hints.ts";
import { concatBytes } from "../../db/logs/read_log.ts";
import type { LogPart, LogPosition } from "../../db/logs/read_log.ts";
import { gapMarker } from "../../domain/log_marker.ts";
import type { Clock } from "../../domain/ports.ts";
import { encodeLogBytes } from "../../protocol/chunk_encoding.ts";
import { encodeFrames, eventFrame, onceFor, PING_FRAME, PING_MS, RETRY_FRAME } from "./event_frame.ts";
import { pullStream, untilShutdown } from "./pull_stream.ts";
import type { LogFeed } from "./log_feed.ts";
import { findResync, isBehind } from "./resync.ts";
import { createWaiter } from "./waiter.ts";
import type { Waiter } from "./waiter.ts";

export interface FollowDeps {
  db: Database;
  logs: LogFeed;
  hints: Hints;
  clock: Clock;
  shutdown?: AbortSignal;
  /** Called once, when the stream has ended, also when it was never read. */
  onEnd?(): void;
  /** Whether the one who follows still may. */
  stillAllowed(): Promise<boolean>;
}
export const SWEEP_MS = 1000;
/** Events come in bursts, and few of them end a log. */
const EVENTS_COLLECT_MS = 50;
const NEWLINE = 10;
const jsonOf = onceFor((bytes: Uint8Array) => JSON.stringify(encodeLogBytes(bytes)));

/** As `createLogWaiter`, for one log, which the feed keeps meanwhile. It hears of news before its readers do. */
function createOneLogWaiter(deps: FollowDeps, taskId: string): Waiter {
  return createLogWaiter(deps, (id) => id === taskId, () => deps.logs.join(taskId));
}

/** A waiter that hints about these tasks' logs, and about anything that happened, wake. */
export function createLogWaiter(
  deps: FollowDeps,
  isFollowed: (taskId: string) => boolean,
  begin: () => () => void,
): Waiter {
  const ends: (() => void)[] = [];
  const waiter = createWaiter(deps.clock, () => {
    for (const end of ends) end();
  });
  ends.push(
    begin(),
    deps.hints.on("log", (id) => (id === undefined || isFollowed(id)) && waiter.wake()),
    deps.hints.on("events", () => waiter.wakeSoon(EVENTS_COLLECT_MS)),
  );
  // Last: it may close at once, and what was subscribed must be given back then.
  ends.push(untilShutdown(deps.shutdown, waiter.close));
  return waiter;
}

/** @returns the next part, "idle" after a while without any, undefined at the end */
function createFollower(deps: FollowDeps, taskId: string, start: LogPosition, waiter: Waiter) {
  let at = start;
  let isEnd = false;
  let lastByte = NEWLINE;
  /** What was there already is given whole: up to here nobody is a laggard. */
  let history: LogPosition | undefined;
  return async (idleMs: number): Promise<LogPart | "idle" | undefined> => {
    const began = deps.clock.monotonic();
    while (!isEnd && !waiter.closed) {
      const found = await deps.logs.read(taskId, at);
      history ??= found && { attempt: found.attempt, offset: found.head };
      const part = found && isBehind(found, history!) ? await passOver(deps.db, taskId, found, lastByte) : found;
      isEnd = part === undefined || part.isEnd;
      if (part && part.bytes.length > 0) {
        at = { attempt: part.attempt, offset: part.next };
        lastByte = part.bytes.at(-1)!;
        return part;
      }
      if (isEnd) break;
      if (deps.clock.monotonic() - began >= idleMs) return "idle";
      await waiter.wait(Math.min(SWEEP_MS, idleMs));
    }
    return undefined;
  };
}

/** The marker for what a slow reader misses, in place of the part that it would have been given. */
async function passOver(db: Database, taskId: string, part: LogPart, lastByte: number): Promise<LogPart> {
  const next = await findResync(db, taskId, part);
  const line = gapMarker({ cause: "viewer", bytes: next - part.offset });
  return {
    ...part,
    bytes: encodeFrames(lastByte === NEWLINE ? line : `\n${line}`),
    next,
    isMarker: true,
    isEnd: false,
  };
}

/** The bytes as they are; a line says where another attempt begins. */
export function followLogAsText(deps: FollowDeps, taskId: string, start: LogPosition): ReadableStream<Uint8Array> {
  return pullStream(() => {
    const waiter = createOneLogWaiter(deps, taskId);
    const nextPart = createFollower(deps, taskId, start, waiter);
    let attempt = start.attempt;
    return {
      async next() {
        const part = await nextPart(Infinity);
        if (part === undefined || part === "idle") return undefined;
        if (part.attempt === attempt) return part.bytes;
        attempt = part.attempt;
        return concatBytes([encodeFrames(`\n==> attempt ${attempt} <==\n`), part.bytes]);
      },
      close: waiter.close,
    };
  }, deps);
}

/** Each event's id is where to go on after it: `attempt:offset`. `end` says that nothing will follow. */
export function followLogAsEvents(deps: FollowDeps, taskId: string, start: LogPosition): ReadableStream<Uint8Array> {
  return pullStream(() => {
    const waiter = createOneLogWaiter(deps, taskId);
    const nextPart = createFollower(deps, taskId, start, waiter);
    let state: "opening" | "open" | "ended" = "opening";
    return {
      async next() {
        if (state === "opening") {
          state = "open";
          return encodeFrames(RETRY_FRAME);
        }
        if (state === "ended") return undefined;
        const part = await nextPart(PING_MS);
        if (part === "idle") return encodeFrames(PING_FRAME);
        if (part) {
          const id = `${part.attempt}:${part.next}`;
          return encodeFrames(eventFrame({ id, json: jsonOf(part.bytes) }));
        }
        // Cut short by a shutdown: no end is said, so the reader comes back.
        if (waiter.closed) return undefined;
        state = "ended";
        return encodeFrames(eventFrame({ event: "end", data: {} }));
      },
      close: waiter.close,
    };
  }, deps);
}
