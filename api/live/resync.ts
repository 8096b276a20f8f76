/** What happens to a viewer that cannot keep up: it is moved near the end, and told how much it missed. */
import type { Database } from "../../db/database.ts";
import { readLogRange } from "../../db/logs/read_log.ts";
import type { LogPart, LogPosition } from "../../db/logs/read_log.ts";

/** A viewer that is further behind what is being written is told of a gap. */
export const MAX_BEHIND_BYTES = 4 * 1024 * 1024;
const TAIL_BYTES = 64 * 1024;
const NEWLINE = 10;

/** @param history up to here the viewer asked for what was there already */
export function isBehind(part: LogPart, history: LogPosition | undefined): boolean {
  const isHistory = history?.attempt === part.attempt && part.offset < history.offset;
  return !isHistory && part.head - part.next > MAX_BEHIND_BYTES;
}

/** Where it goes on: at the beginning of a line close to the end, where there is one. */
export async function findResync(db: Database, taskId: string, part: LogPart): Promise<number> {
  const from = part.head - TAIL_BYTES;
  const tail = await readLogRange(db, taskId, part.attempt, from, part.head);
  return from + tail.indexOf(NEWLINE) + 1;
}
