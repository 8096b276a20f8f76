/** What a cron trigger owes when its master looks at it: the tick that is due, or those for which nobody was up. */
import { lastOccurrence, nextOccurrence } from "./cron.ts";
import type { CronTime } from "./cron.ts";

/** A master that takes over, or wakes a little late, is still in time. */
export const IN_TIME_SECONDS = 60;

export interface DueTick {
  /** The last tick that is due, in milliseconds. */
  at: number;
  /** Undefined when it is run; else why not. */
  why?: string;
  /** The next one after now; undefined when none comes any more. */
  next: number | undefined;
}

/**
 * Of many ticks that passed while nobody was up, the last one stands for all: `run_once` runs it, `skip` passes them over.
 * @param due the tick that was expected next, at or before `now`; both in milliseconds
 */
export function judgeTick(
  time: CronTime,
  missed: "skip" | "run_once",
  due: number,
  now: number,
): DueTick {
  const at = Math.max(due, lastOccurrence(time, now) ?? due);
  const next = nextOccurrence(time, now);
  if (now - at <= IN_TIME_SECONDS * 1000 || missed === "run_once") return { at, next };
  const why = `no master was up at ${say(at)}, and missed ticks are skipped; set missed: run_once to catch up`;
  return { at, next, why };
}

const say = (milliseconds: number) => new Date(milliseconds).toISOString().replace(/\.\d+Z$/, "Z");
