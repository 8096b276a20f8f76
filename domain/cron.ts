/**
 * Times that a person writes as five fields and a time zone: `0 18 * * 5` in `Asia/Shanghai`. Pure: every instant is
 * given, in milliseconds. Where the clock is put forward, a time that does not exist comes at once behind the gap; where
 * it is put back, a time that comes twice counts once, the first time.
 */
import { Cron } from "croner";

export interface CronTime {
  /** minute hour day-of-month month day-of-week */
  cron: string;
  /** IANA name; UTC when absent. */
  tz?: string | undefined;
}

/** @returns why this is no cron time, or undefined when it is one */
export function whyNoCron(time: CronTime): string | undefined {
  try {
    // Naming an occurrence is what finds a time zone that does not exist.
    return open(time).nextRun(new Date(0)) === null ? `"${time.cron}" never comes` : undefined;
  } catch (error: unknown) {
    const detail = (error instanceof Error ? error.message : String(error)).replace(/^\w+: /, "").replace(/\.$/, "");
    return `"${time.cron}"${time.tz ? ` in ${time.tz}` : ""} is no cron time: ${detail}`;
  }
}

/** The first occurrence after `at`; undefined when none comes any more. */
export const nextOccurrence = (time: CronTime, at: number): number | undefined =>
  open(time).nextRun(new Date(at))?.getTime();

/** The last occurrence at or before `at`. */
export const lastOccurrence = (time: CronTime, at: number): number | undefined =>
  open(time).previousRuns(1, new Date(at + 1)).at(0)?.getTime();

const open = ({ cron, tz }: CronTime): Cron => new Cron(cron.trim(), { timezone: tz ?? "UTC", mode: "5-part" });
