import type { NotificationItem } from "../../domain/notification.ts";
import { reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";
import { whenAsked } from "../retry.ts";

/** A message in the hands of one sender. `attempts` is its fence. */
export interface ClaimedMessage {
  id: string;
  projectId: string;
  notificationId: string;
  event: string;
  items: NotificationItem[];
  count: number;
  attempts: number;
  createdAt: string;
  kind: string;
  sealed: Uint8Array;
  language: "en" | "zh";
  userId: string | null;
  enabled: boolean;
}

/**
 * Takes messages that are due, and those that somebody took and never spoke of again. The lease must outlast the longest
 * call: a message whose sender died after the other side had taken it goes out once more, under the same id.
 */
export async function claimMessages(db: Database, limit: number, leaseSeconds: number): Promise<ClaimedMessage[]> {
  return await whenAsked(() =>
    db.sql<ClaimedMessage[]>`
    with due as (
      select id from notification_delivery where status in ('waiting', 'sending') and run_after <= boreas_now()
      order by run_after limit ${limit} for update skip locked
    ), taken as (
      update notification_delivery d set status = 'sending', attempts = d.attempts + 1,
        run_after = boreas_now() + make_interval(secs => ${leaseSeconds}), reason = ${
      db.sql.json(reason("notification.sending") as never)
    }
      from due where d.id = due.id
      returning d.id, d.project_id, d.notification_id, d.event, d.items, d.count, d.attempts, d.created_at
    )
    select taken.*, n.kind, n.sealed, n.language, n.user_id, n.enabled
    from taken join notification n on n.id = taken.notification_id order by taken.id`
  );
}

/** Seconds until the next message is due; undefined when none waits. */
export async function nextMessageIn(db: Database): Promise<number | undefined> {
  const [row] = await db.sql<{ seconds: number | null }[]>`
    select extract(epoch from min(run_after) - boreas_now())::float8 as seconds from notification_delivery
    where status in ('waiting', 'sending')`;
  return row?.seconds ?? undefined;
}

/** Of these agents, those that are away still. */
export async function findAway(db: Database, agentIds: readonly string[]): Promise<Set<string>> {
  const rows = await db.sql<{ id: string }[]>`
    select id from agent where id = any(${[...agentIds]}::uuid[]) and status = 'disconnected'`;
  return new Set(rows.map((row) => row.id));
}
