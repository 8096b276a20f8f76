/**
 * Times in which nothing is started. Pure: freezes and an instant in, "until when, and who may pass" out.
 *
 *   a Plan's windows + the windows of the environment's policy + what a person froze by hand -> frozen until ...
 *
 * All of them count together: a file or a person can only add to what the environment's policy freezes.
 */
import { lastOccurrence, nextOccurrence } from "./cron.ts";
import type { CronTime } from "./cron.ts";
import { parseDuration } from "./duration.ts";
import { hasRole } from "./roles.ts";
import type { RoleHolder } from "./roles.ts";

/** Again and again, for so many seconds from each occurrence; or once, between two instants in milliseconds. */
export type FrozenTime = (CronTime & { seconds: number }) | { from: number; until: number };
export interface Freeze {
  /** What a person reads: where it is written, or who froze and why. */
  why: string;
  time: FrozenTime;
  /** Only these; all when null. */
  applications: readonly string[] | null;
  /** Who may start nevertheless; an admin always may. */
  override: { role: string; reason: "required" | "optional" } | null;
}
export interface Frozen {
  /** When the last of the windows that follow one another without a gap has ended, in milliseconds. */
  until: number;
  /** Those in force now. */
  by: Freeze[];
}
export interface Window {
  from: number;
  until: number;
}

/** A window as a Plan or an environment's policy has it. */
export interface FreezeInput extends CronTime {
  for: string;
  applications?: readonly string[];
  override?: { role: string; reason?: "required" | "optional" };
}
export const toFreeze = (input: FreezeInput, why: string): Freeze => ({
  why,
  time: { cron: input.cron, tz: input.tz, seconds: parseDuration(input.for)! },
  applications: input.applications ?? null,
  override: input.override ? { role: input.override.role, reason: input.override.reason ?? "required" } : null,
});

/** Windows without a gap can go on for ever: nobody is told of more than a year. */
const FARTHEST_MS = 366 * 86_400_000;
/** One after another without a gap: enough for a window a day, all year. */
const MOST_WINDOWS = 1000;

/** The window that `at` lies in. Its end is the first instant that lies in it no more. */
export function windowAt({ time }: Pick<Freeze, "time">, at: number): Window | undefined {
  const window = "cron" in time ? opened(lastOccurrence(time, at), time.seconds) : time;
  return window && window.from <= at && at < window.until ? window : undefined;
}

/** The window that `at` lies in, or the next one. */
export function nextWindow(freeze: Pick<Freeze, "time">, at: number): Window | undefined {
  const now = windowAt(freeze, at);
  if (now) return now;
  const { time } = freeze;
  if ("cron" in time) return opened(nextOccurrence(time, at), time.seconds);
  return time.from > at ? time : undefined;
}

/** @param applications of the deployment that would start: a freeze of others does not concern it */
export function frozenAt(freezes: readonly Freeze[], at: number, applications?: readonly string[]): Frozen | undefined {
  const concerned = freezes.filter((freeze) =>
    !freeze.applications || !applications || freeze.applications.some((name) => applications.includes(name))
  );
  const by = concerned.filter((freeze) => windowAt(freeze, at));
  if (by.length === 0) return undefined;
  let until = at;
  for (let steps = 0; until < at + FARTHEST_MS; steps++) {
    const ends = concerned.flatMap((freeze) => windowAt(freeze, until)?.until ?? []);
    if (ends.length === 0) break;
    // A window for every minute is no reason to count the minutes of a year.
    until = steps < MOST_WINDOWS ? Math.max(until, ...ends) : at + FARTHEST_MS;
  }
  return { until: Math.min(until, at + FARTHEST_MS), by };
}

/** Whether each of those in force lets this person pass. Who administers the project always may. */
export const mayOverride = ({ by }: Pick<Frozen, "by">, who: RoleHolder): boolean =>
  by.every(({ override }) => hasRole(who, override ? [override.role] : []));

export const needsReason = ({ by }: Pick<Frozen, "by">): boolean =>
  by.some(({ override }) => override?.reason !== "optional");

/** Who may pass, in words: the roles that are asked for, or the admins where nobody else may. */
export function sayRoles({ by }: Pick<Frozen, "by">): string {
  const roles = by.map(({ override }) => override?.role);
  return roles.includes(undefined) ? "admin" : [...new Set(roles)].join(" and ");
}

const opened = (from: number | undefined, seconds: number): Window | undefined =>
  from === undefined ? undefined : { from, until: from + seconds * 1000 };
