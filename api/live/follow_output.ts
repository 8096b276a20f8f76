/**
 * What a running application prints, given to one viewer.
 *
 *   asked (or joined: viewers of one application share) -> the last lines -> what comes, until the viewer goes
 *                                                           '-> too slow: a marker says how much was passed over
 *
 * The agent's answer stands in bounded rows that any process may read; while somebody reads, the question is kept alive.
 */
import type { Database } from "../../db/database.ts";
import type { Hints } from "../../db/hints.ts";
import { askOutput, dropQuery, keepQuery, type Place, WANTED_SECONDS } from "../../db/queries/ask_agent.ts";
import { type Answer, readAnswer } from "../../db/queries/read_answer.ts";
import { AppError } from "../../domain/app_error.ts";
import { gapMarker } from "../../domain/log_marker.ts";
import type { Clock } from "../../domain/ports.ts";
import { encodeFrames } from "./event_frame.ts";
import { SWEEP_MS } from "./follow_log.ts";
import { type Guard, pullStream, untilShutdown } from "./pull_stream.ts";
import { createWaiter, type Waiter } from "./waiter.ts";

export interface OutputDeps {
  db: Database;
  hints: Hints;
  clock: Clock;
  shutdown?: AbortSignal;
}
/** An agent that is connected answers at once, unless its master or the way to it is in trouble. */
export const ANSWER_MS = 10_000;
const KEEP_MS = WANTED_SECONDS * 1000 / 3;
const QUIET_MS = 150;
const MOST_LOOKS = 50;
const NEWLINE = 10;

/** The last lines, once. @throws AppError `unavailable` when the agent does not answer */
export async function readOutput(deps: OutputDeps, place: Place, lines: number, target: string): Promise<Uint8Array> {
  const id = await askOutput(deps, place, false);
  const waiter = waitForAnswer(deps, id);
  const deadline = deps.clock.monotonic() + ANSWER_MS;
  const parts: Uint8Array[] = [];
  try {
    for (let from = 0; !waiter.closed;) {
      const answer = await readAnswer(deps.db, id, from);
      if (!answer) break;
      parts.push(...answer.chunks.map((chunk) => chunk.data));
      from = answer.chunks.at(-1) ? answer.chunks.at(-1)!.sequence + 1 : from;
      if (answer.ended !== null && answer.chunks.length === 0) {
        return parts.length > 0 ? lastLines(concat(parts), lines) : encodeFrames(`[boreas] ${answer.ended}\n`);
      }
      if (deps.clock.monotonic() > deadline) throw noAnswer(target);
      if (answer.chunks.length === 0) await waiter.wait(SWEEP_MS);
    }
    throw noAnswer(target);
  } finally {
    waiter.close();
    await dropQuery(deps.db, id);
  }
}

export function followOutput(
  deps: OutputDeps & Guard,
  place: Place,
  lines: number,
  target: string,
): ReadableStream<Uint8Array> {
  return pullStream(() => {
    let waiter: Waiter | undefined;
    let isClosed = false;
    const follower = createFollower(deps, place, lines, target, (made) => {
      waiter = made;
      if (isClosed) made.close();
    });
    return {
      next: follower,
      close() {
        isClosed = true;
        waiter?.close();
      },
    };
  }, deps);
}

function createFollower(
  deps: OutputDeps,
  place: Place,
  lines: number,
  target: string,
  onWaiter: (waiter: Waiter) => void,
): () => Promise<Uint8Array | undefined> {
  const begun = deps.clock.monotonic();
  let query: { id: string; waiter: Waiter } | undefined;
  let from = 0;
  let offset: number | undefined;
  let keptAt = begun;
  let lastByte = NEWLINE;
  let isOver = false;
  const give = (bytes: Uint8Array) => {
    lastByte = bytes.at(-1) ?? lastByte;
    return bytes;
  };
  const end = (why: string) => {
    isOver = true;
    return encodeFrames(`${lastByte === NEWLINE ? "" : "\n"}[boreas] ${why}\n`);
  };

  return async () => {
    if (isOver) return undefined;
    if (!query) {
      const id = await askOutput(deps, place, true);
      query = { id, waiter: waitForAnswer(deps, id) };
      onWaiter(query.waiter);
    }
    const { id, waiter } = query;
    while (!waiter.closed) {
      const now = deps.clock.monotonic();
      if (now - keptAt > KEEP_MS) {
        keptAt = now;
        await keepQuery(deps.db, id);
      }
      const answer = offset === undefined ? await gather(deps, id, waiter) : await readAnswer(deps.db, id, from);
      if (!answer) return end("Nobody keeps this output any more; open it again.");
      if (answer.chunks.length > 0) {
        const isFirst = offset === undefined;
        const first = answer.chunks[0]!;
        const gap = isFirst ? 0 : first.offset - offset!;
        const parts = gap > 0 ? [marker(gap, lastByte)] : [];
        for (const chunk of answer.chunks) {
          if (offset !== undefined && chunk !== first && chunk.offset > offset) {
            parts.push(marker(chunk.offset - offset, parts.at(-1)?.at(-1) ?? lastByte));
          }
          parts.push(chunk.data);
          offset = chunk.offset + chunk.data.length;
        }
        from = answer.chunks.at(-1)!.sequence + 1;
        const bytes = concat(parts);
        return give(isFirst ? lastLines(bytes, lines) : bytes);
      }
      if (answer.ended !== null) return end(answer.ended);
      if (!answer.isAnswered && now - begun > ANSWER_MS) return end(noAnswer(target).message);
      await waiter.wait(SWEEP_MS);
    }
    return undefined;
  };
}

const marker = (bytes: number, lastByte: number) =>
  encodeFrames((lastByte === NEWLINE ? "" : "\n") + gapMarker({ cause: "viewer", bytes }));

const noAnswer = (target: string) =>
  new AppError(
    "unavailable",
    "agent.no_answer",
    `${target} did not answer within ${
      ANSWER_MS / 1000
    } s; look on the agents' page whether it is connected, and try again.`,
  );

/** All there is for one who has just come, once it does not grow any more: of that the last lines are wanted. */
async function gather(deps: OutputDeps, id: string, waiter: Waiter): Promise<Answer | undefined> {
  const chunks: Answer["chunks"] = [];
  for (let quiet = false, looks = 0;; looks++) {
    const answer = await readAnswer(deps.db, id, chunks.at(-1) ? chunks.at(-1)!.sequence + 1 : 0);
    if (!answer) return undefined;
    chunks.push(...answer.chunks);
    const isDone = chunks.length === 0 || answer.ended !== null || quiet && answer.chunks.length === 0;
    if (answer.chunks.length === 0 && isDone || looks > MOST_LOOKS) return { ...answer, chunks };
    quiet = answer.chunks.length === 0;
    if (quiet && !waiter.closed) await waiter.wait(QUIET_MS);
  }
}

function waitForAnswer(deps: OutputDeps, id: string): Waiter {
  const ends: (() => void)[] = [];
  const waiter = createWaiter(deps.clock, () => {
    for (const end of ends) end();
  });
  ends.push(deps.hints.on("answers", (which) => (which === undefined || which === id) && waiter.wake()));
  ends.push(untilShutdown(deps.shutdown, waiter.close));
  return waiter;
}

/** The end of a text: so many lines, a begun last one included. */
function lastLines(bytes: Uint8Array, count: number): Uint8Array {
  let left = bytes.at(-1) === NEWLINE ? count + 1 : count;
  for (let i = bytes.length - 1; i >= 0; i--) if (bytes[i] === NEWLINE && --left === 0) return bytes.subarray(i + 1);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
