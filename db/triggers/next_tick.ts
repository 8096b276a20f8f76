import { nextOccurrence } from "../../domain/cron.ts";
import type { TriggerEvent, TriggerRule } from "../../domain/trigger.ts";
import type { Tx } from "../database.ts";

/** The database's clock, in milliseconds since 1970: no other one decides over ticks. */
export async function readNow(tx: Tx): Promise<number> {
  const [row] = await tx<{ now: number }[]>`select (extract(epoch from boreas_now()) * 1000)::float8 as now`;
  return row!.now;
}

/** @returns RFC 3339; null for what does not tick */
export function tickAfter(on: TriggerEvent, rule: TriggerRule, now: number): string | null {
  if (on !== "cron" || rule.at === undefined) return null;
  const next = nextOccurrence({ cron: rule.at, tz: rule.tz }, now);
  return next === undefined ? null : new Date(next).toISOString();
}
