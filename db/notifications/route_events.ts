/**
 * From what happened to the messages that tell it. One transaction moves the cursor over a stretch of certain events and
 * writes what they are worth telling, so an event is turned into a channel's message once, whoever reads it and however
 * often somebody dies over it.
 *
 *   event --wanted by a rule--> a message of its own
 *         --its kind settles first, or comes in a crowd--> into the one of its kind that is still collecting
 */
import {
  CROWDED_SECONDS,
  isWanted,
  ITEMS_KEPT,
  MOST_PER_MINUTE,
  nameOutside,
  type NotificationEvent,
  type NotificationItem,
  type NotificationRule,
  SETTLE_SECONDS,
  TOLD_KINDS,
  TOLD_WAITS,
} from "../../domain/notification.ts";
import { type Reason, reason } from "../../domain/reason.ts";
import type { Database, Tx } from "../database.ts";
import type { EventCursor } from "../events/read_events.ts";
import { inTransaction } from "../retry.ts";
import { lockCursor, moveCursor } from "./event_cursor.ts";

const STRETCH = 2000;

export interface RouteOptions {
  /** Instead of the usual seconds; for tests. */
  settleSeconds?: Partial<Record<NotificationEvent, number>>;
}
interface Channel {
  id: string;
  projectId: string;
  rules: NotificationRule[];
  activeSince: string;
}
interface Row extends EventCursor {
  projectId: string;
  kind: string;
  subjectId: string | null;
  deploymentId: string | null;
  createdAt: string;
  name: string | null;
  reason: Reason | null;
  version: string | null;
  environments: string[];
  applications: { name: string; labels: Record<string, string> }[];
}
interface Told {
  eventId: number;
  item: NotificationItem;
}

/** @returns how many messages it made or filled, and whether there may be more events to look at */
export async function routeEvents(db: Database, options: RouteOptions = {}): Promise<{ told: number; more: boolean }> {
  return await inTransaction(db, async (tx) => {
    const channels = await tx<Channel[]>`
      select id, project_id, rules, active_since from notification where enabled order by id`;
    if (channels.length === 0) return { told: 0, more: false };
    const from = await lockCursor(tx);
    const { last, seen } = await readStretch(tx, from);
    if (!last) return { told: 0, more: false };
    const rows = await readTold(tx, from, last);
    let told = 0;
    for (const channel of channels) {
      const wanted = rows.flatMap((row) => {
        if (row.projectId !== channel.projectId || row.createdAt < channel.activeSince) return [];
        const item = toItem(row);
        return item && isWanted(channel.rules, item) ? [{ eventId: row.id, item }] : [];
      });
      const kinds = Map.groupBy(wanted, ({ item }) => item.event as NotificationEvent);
      for (const [event, events] of kinds) told += await write(db, tx, channel, event, events, options);
    }
    await moveCursor(tx, last);
    return { told, more: seen === STRETCH };
  });
}

async function readStretch(tx: Tx, from: EventCursor): Promise<{ last: EventCursor | undefined; seen: number }> {
  const rows = await tx<(EventCursor & { seen: number })[]>`
    with stretch as materialized (
      select xid, id from event where (xid, id) > (${from.xid}::xid8, ${from.id})
        and xid < pg_snapshot_xmin(pg_current_snapshot()) order by event.xid, event.id limit ${STRETCH}
    ) select xid::text as xid, id, (select count(*)::int from stretch) as seen from stretch order by stretch.xid desc, id desc limit 1`;
  const [row] = rows;
  return { last: row && { xid: row.xid, id: row.id }, seen: row?.seen ?? 0 };
}

/** Those of the stretch that anybody could be told of, with what a rule may ask for. */
const readTold = (tx: Tx, from: EventCursor, to: EventCursor): Promise<Row[]> =>
  tx<Row[]>`
    select e.xid::text as xid, e.id, e.project_id, e.kind, e.subject_id, e.deployment_id, e.created_at,
      e.data ->> 'name' as name, e.data -> 'reason' as reason,
      v.version, coalesce(places.names, '{}') as environments, coalesce(apps.list, '[]') as applications
    from event e
    left join deployment d on d.id = e.deployment_id
    left join version v on v.id = case when e.topic = 'version' then e.subject_id else d.version_id end
    left join lateral (
      select array_agg(n.name order by n.name) as names from environment n
      where n.id = coalesce(d.environment_id, (e.data ->> 'environmentId')::uuid)
        or (e.topic = 'agent' and n.id in (select environment_id from agent_environment where agent_id = e.subject_id))
    ) places on true
    left join lateral (
      select jsonb_agg(jsonb_build_object('name', a.name, 'labels', coalesce(a.config -> 'labels', '{}')) order by a.name) as list
      from application a where a.project_id = e.project_id
        and (a.name = any(d.applications) or (e.topic = 'application' and a.id = e.subject_id)
          or (e.topic = 'version' and exists (select from version_app x where x.version_id = v.id and x.application_id = a.id)))
    ) apps on true
    where (e.xid, e.id) > (${from.xid}::xid8, ${from.id}) and (e.xid, e.id) <= (${to.xid}::xid8, ${to.id})
      and (e.kind = any(${TOLD_KINDS})
        or e.kind = 'task.pending' and e.data -> 'reason' ->> 'code' = any(${[...TOLD_WAITS]}))
    order by e.xid, e.id`;

function toItem(row: Row): NotificationItem | undefined {
  const event = nameOutside({ kind: row.kind, data: { reason: row.reason } });
  return event && {
    event,
    at: row.createdAt,
    subjectId: row.subjectId,
    name: row.name ?? "",
    deploymentId: row.deploymentId,
    version: row.version,
    environments: row.environments,
    applications: row.applications,
    reason: row.reason,
  };
}

async function write(
  db: Database,
  tx: Tx,
  channel: Channel,
  event: NotificationEvent,
  events: Told[],
  { settleSeconds = {} }: RouteOptions,
): Promise<number> {
  const settle = settleSeconds[event] ?? SETTLE_SECONDS[event] ?? 0;
  // One that collects may have been taken to be sent just now: then its row is no longer found.
  const [open] = await tx<{ id: string }[]>`
    select id from notification_delivery where notification_id = ${channel.id} and event = ${event}
      and status = 'waiting' and attempts = 0 and run_after > boreas_now() order by id limit 1 for update skip locked`;
  if (open) {
    const items = events.map(({ item }) => item);
    await tx`
      update notification_delivery set count = count + ${items.length},
        items = items || (select coalesce(jsonb_agg(i order by n), '[]') from jsonb_array_elements(${
      tx.json(items as never)
    }::jsonb)
          with ordinality x(i, n) where n <= ${ITEMS_KEPT} - jsonb_array_length(items)),
        run_after = greatest(run_after, least(created_at + make_interval(secs => ${2 * settle}),
          boreas_now() + make_interval(secs => ${settle})))
      where id = ${open.id}`;
    return 1;
  }
  if (settle > 0) return await insert(db, tx, channel, event, [events], settle);
  const [recent] = await tx<{ count: number }[]>`
    select count(*)::int as count from notification_delivery where notification_id = ${channel.id} and event = ${event}
      and created_at > boreas_now() - interval '1 minute'`;
  const alone = Math.max(0, MOST_PER_MINUTE - recent!.count);
  const crowd = events.slice(alone);
  return await insert(db, tx, channel, event, events.slice(0, alone).map((one) => [one]), 0) +
    (crowd.length > 0 ? await insert(db, tx, channel, event, [crowd], CROWDED_SECONDS) : 0);
}

async function insert(
  db: Database,
  tx: Tx,
  channel: Channel,
  event: NotificationEvent,
  messages: Told[][],
  seconds: number,
): Promise<number> {
  for (const message of messages) {
    const said = seconds > 0 ? reason("notification.collecting", { seconds }) : reason("notification.waiting");
    await tx`
      insert into notification_delivery (id, project_id, notification_id, event_id, event, items, count, status, reason, run_after)
      values (${db.newId()}, ${channel.projectId}, ${channel.id}, ${message[0]!.eventId}, ${event},
        ${tx.json(message.slice(0, ITEMS_KEPT).map(({ item }) => item) as never)}, ${message.length}, 'waiting',
        ${tx.json(said as never)}, boreas_now() + make_interval(secs => ${seconds}))
      on conflict (notification_id, event_id) do nothing`;
  }
  return messages.length;
}
