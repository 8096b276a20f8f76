import type { Fragment } from "../client.ts";
import type { Tx } from "../database.ts";

/** How long what has happened is kept. 0 keeps for ever. */
export interface RetentionPolicy {
  /** Ended deployments with all that belongs to them, events, deliveries: so many days. */
  days: number;
  /** Ended deployments of one application in one environment. */
  deployments: number;
  /** Logs; the rows that say what happened may stay longer. */
  logDays: number;
  /** Ended deployments of one application in one environment that keep their logs. */
  logDeployments: number;
  /** Events of no deployment. */
  events: number;
}
/** Which of them an environment may do without: those older than this, or beyond the newest so many of each application. */
export interface Age {
  days: number;
  deployments: number;
}

/** Rows of one transaction: some milliseconds of work, and no reader waits longer than that. */
export const BATCH_ROWS = 300;

/** What one batch came to. */
export interface Batch {
  removed: number;
  /** Where the next batch goes on; undefined when there is nothing behind it. */
  next: string | undefined;
}

/** What a batch found on its walk by id: ids of what it removed and of all it looked at, and whether all that was old. */
export interface Walk<Id> {
  removed: number;
  last: Id | null;
  seen: Id | null;
  isAllOld: boolean;
}

/** The last part of a statement whose parts `looked` (`id`, `is_old`) and `deleted` (`id`) took a batch; ids as text. */
export const tellWalk = (tx: Tx): Fragment =>
  tx`select (select count(*)::int from deleted) as removed, (select max(id::text) from deleted) as last,
    (select max(id::text) from looked) as seen, (select coalesce(bool_and(is_old), false) from looked) as is_all_old`;

/** A full batch may have left some behind it; otherwise all that was looked at is settled, until a young row is met. */
export function toBatch<Id>({ removed, last, seen, isAllOld }: Walk<Id>, rows: number): Batch {
  const next = removed >= rows ? last : isAllOld ? seen : null;
  return { removed, next: next === null ? undefined : String(next) };
}
