import type { NotificationItem } from "../../domain/notification.ts";
import { reason } from "../../domain/reason.ts";
import type { Sql } from "../client.ts";
import type { Database } from "../database.ts";
import { chooseWithin, hostOf, type Room } from "../host_of.ts";
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
  /** Whose server it goes to. */
  host: string;
}

/**
 * Takes messages that are due, and those that somebody took and never spoke of again. The lease must outlast the longest
 * call: a message whose sender died after the other side had taken it goes out once more, under the same id. No server
 * gets more than its share of them at once.
 */
export async function claimMessages(db: Database, room: Room, leaseSeconds: number): Promise<ClaimedMessage[]> {
  if (room.most <= 0) return [];
  return await whenAsked(() =>
    db.sql<ClaimedMessage[]>`
    with waiting as (
      select d.id, d.run_after, ${receiver(db.sql)} as host ${openMessages(db.sql)} and d.run_after <= boreas_now()
    ), ${chooseWithin(db.sql, room)}, due as (
      select d.id, r.host from notification_delivery d join room r on r.id = d.id
      where d.status in ('waiting', 'sending') and d.run_after <= boreas_now() for update of d skip locked
    ), taken as (
      update notification_delivery d set status = 'sending', attempts = d.attempts + 1,
        run_after = boreas_now() + make_interval(secs => ${leaseSeconds}), reason = ${
      db.sql.json(reason("notification.sending") as never)
    }
      from due where d.id = due.id
      returning d.id, d.project_id, d.notification_id, d.event, d.items, d.count, d.attempts, d.created_at, due.host
    )
    select taken.*, n.kind, n.sealed, n.language, n.user_id, n.enabled
    from taken join notification n on n.id = taken.notification_id order by taken.id`
  );
}

const openMessages = (sql: Sql) =>
  sql`from notification_delivery d join notification n on n.id = d.notification_id where d.status in ('waiting', 'sending')`;
const receiver = (sql: Sql) =>
  hostOf(
    sql,
    sql`case when n.kind = 'email' then 'smtp://' || (n.settings ->> 'host') else n.settings ->> 'destination' end`,
  );

/** Seconds until the next message is due, other than of servers that are busy; undefined when none waits. */
export async function nextMessageIn(db: Database, busy: readonly string[] = []): Promise<number | undefined> {
  const [row] = await db.sql<{ seconds: number | null }[]>`
    select extract(epoch from min(d.run_after) - boreas_now())::float8 as seconds ${openMessages(db.sql)}
      and ${receiver(db.sql)} <> all(${[...busy]}::text[])`;
  return row?.seconds ?? undefined;
}

/** Of these agents, those that are away still. */
export async function findAway(db: Database, agentIds: readonly string[]): Promise<Set<string>> {
  const rows = await db.sql<{ id: string }[]>`
    select id from agent where id = any(${[...agentIds]}::uuid[]) and status = 'disconnected'`;
  return new Set(rows.map((row) => row.id));
}
