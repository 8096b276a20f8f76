/** Follows the parts of a parent task side by side: whole lines, each with the name of its part before it. */
import { concatBytes, findTaskLog, readLogHeads } from "../../db/logs/read_log.ts";
import type { LogPosition } from "../../db/logs/read_log.ts";
import { createLogWaiter, SWEEP_MS } from "./follow_log.ts";
import type { FollowDeps } from "./follow_log.ts";
import { LOG_PIECE_BYTES } from "./log_feed.ts";
import { pullStream } from "./pull_stream.ts";

interface Followed {
  leave(): void;
  taskId: string;
  prefix: Uint8Array;
  at: LogPosition;
  /** Begun line, kept until its end comes: at most LOG_PIECE_BYTES. */
  line: Uint8Array;
}
/** Bytes given for one pull, about. */
const PULL_BYTES = 256 * 1024;
const NEWLINE = 10;
const encoder = new TextEncoder();

export function followPartsAsText(deps: FollowDeps, projectId: string, parentId: string): ReadableStream<Uint8Array> {
  return pullStream(() => {
    const parts = new Map<string, Followed>();
    const waiter = createLogWaiter(deps, (id) => parts.has(id), () => () => {
      for (const { leave } of parts.values()) leave();
    });
    let ended = false;
    return {
      async next() {
        while (!ended && !waiter.closed) {
          // The state is read before the bytes: what a final task wrote is there by then.
          const log = await findTaskLog(deps.db, projectId, parentId);
          if (!log) return undefined;
          for (const { taskId, name } of log.sources) {
            if (!parts.has(taskId)) parts.set(taskId, newPart(taskId, name, deps.logs.join(taskId)));
          }
          const lines = await readMore(deps, parts);
          if (lines.length > 0) return lines;
          if (log.isFinal) {
            ended = true;
            const tails = concatBytes([...parts.values()].map((part) => takeLines(part, new Uint8Array(), true)));
            return tails.length > 0 ? tails : undefined;
          }
          await waiter.wait(SWEEP_MS);
        }
        return undefined;
      },
      close: waiter.close,
    };
  }, deps);
}

const newPart = (taskId: string, name: string, leave: () => void): Followed => ({
  leave,
  taskId,
  prefix: encoder.encode(`${name} | `),
  at: { attempt: 1, offset: 0 },
  line: new Uint8Array(),
});

/** One statement says which parts have more; only those are read, in turn, until a pull's worth is there. */
async function readMore(deps: FollowDeps, parts: Map<string, Followed>): Promise<Uint8Array> {
  const given: Uint8Array[] = [];
  let size = 0;
  for (const head of await readLogHeads(deps.db, [...parts.keys()])) {
    const part = parts.get(head.taskId)!;
    if (head.attempt < part.at.attempt || (head.attempt === part.at.attempt && head.bytes <= part.at.offset)) continue;
    const read = await deps.logs.read(part.taskId, part.at);
    if (!read || read.bytes.length === 0) continue;
    part.at = { attempt: read.attempt, offset: read.next };
    const lines = takeLines(part, read.bytes, false);
    given.push(lines);
    size += lines.length;
    // Behind the others from now on, so that no part waits for ever.
    parts.delete(part.taskId);
    parts.set(part.taskId, part);
    if (size >= PULL_BYTES) break;
  }
  const lines = concatBytes(given);
  // Something was read, but no line has ended yet: there may be more.
  return lines.length === 0 && given.length > 0 ? await readMore(deps, parts) : lines;
}

/** The lines that ended, labelled; a line that grew too long is given in pieces, each of them labelled. */
function takeLines(part: Followed, bytes: Uint8Array, isLast: boolean): Uint8Array {
  const pieces: Uint8Array[] = [];
  let rest = concatBytes([part.line, bytes]);
  for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
    pieces.push(part.prefix, rest.subarray(0, end + 1));
    rest = rest.subarray(end + 1);
  }
  if (rest.length > 0 && (isLast || rest.length >= LOG_PIECE_BYTES)) {
    pieces.push(part.prefix, rest, Uint8Array.of(NEWLINE));
    rest = new Uint8Array();
  }
  part.line = rest.slice(); // a view would hold all that was read with it, for each of the parts
  return concatBytes(pieces);
}
