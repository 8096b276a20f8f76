import type { Notification, NotificationDelivery } from "../../protocol/api/notifications.ts";
import type { Fragment } from "../client.ts";
import type { Database } from "../database.ts";

const deliveryColumns = ({ sql }: Database): Fragment =>
  sql`d.id, d.event, d.status, d.reason, d.count, d.attempts, d.created_at, d.completed_at,
    case when d.status in ('waiting', 'sending') then d.run_after end as next_try_at,
    coalesce((select array_agg(distinct i ->> 'name') from jsonb_path_query(d.items, '$[0 to 4]') i), '{}') as names`;

export type ChannelRow = Omit<Notification, "destination">;

/** Newest first, up to limit + 1. Never what is sealed. */
export async function listChannels(
  db: Database,
  projectId: string,
  { id = null, limit, after = null }: { id?: string | null; limit: number; after?: string | null },
): Promise<ChannelRow[]> {
  return await db.sql<ChannelRow[]>`
    select n.id, n.name, n.kind, n.settings, n.language, u.username, n.rules, n.enabled, n.created_by, n.created_at, n.updated_at,
      (select jsonb_build_object('id', d.id, 'status', d.status, 'reason', d.reason,
          'createdAt', to_char(d.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
        from notification_delivery d where d.notification_id = n.id order by d.id desc limit 1) as last_delivery
    from notification n left join app_user u on u.id = n.user_id
    where n.project_id = ${projectId} and (${id}::uuid is null or n.id = ${id}::uuid)
      and (${after}::uuid is null or n.id < ${after}::uuid)
    order by n.id desc limit ${limit + 1}`;
}

/** What was sent to a channel, or was to be; newest first, up to limit + 1. */
export async function listMessages(
  db: Database,
  projectId: string,
  notificationId: string,
  { id = null, limit, after = null }: { id?: string | null; limit: number; after?: string | null },
): Promise<NotificationDelivery[]> {
  return await db.sql<NotificationDelivery[]>`
    select ${deliveryColumns(db)} from notification_delivery d
    where d.notification_id = ${notificationId} and d.project_id = ${projectId}
      and (${id}::uuid is null or d.id = ${id}::uuid) and (${after}::uuid is null or d.id < ${after}::uuid)
    order by d.id desc limit ${limit + 1}`;
}
