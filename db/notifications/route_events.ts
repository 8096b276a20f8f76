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
import type { Aside } from "../aside.ts";
import type { Database, Tx } from "../database.ts";
import { readSettled } from "../events/read_events.ts";
import type { EventCursor } from "../events/read_events.ts";
import { inTransaction } from "../retry.ts";
import { isConflict, isOutage } from "../retryable_errors.ts";
import { lockCursor, moveCursor } from "./event_cursor.ts";

const STRETCH = 2000;
/** After so many failures in a row a channel is left out for a while, or each event would be looked at by itself. */
const BROKEN = 3;

export interface RouteOptions {
  /** Instead of the usual seconds; for tests. */
  settleSeconds?: Partial<Record<NotificationEvent, number>>;
  /** Keeps what cannot be told from keeping back the rest. */
  aside?: Aside;
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
  removes: boolean;
}
interface Told {
  eventId: number;
  item: NotificationItem;
}

interface Routed {
  told: number;
  more: boolean;
}

/**
 * One event that cannot be read, or not told to a channel, is narrowed down to, said and passed over (with `aside`).
 * @returns how many messages it made or filled, and whether there may be more events to look at
 */
export async function routeEvents(db: Database, options: RouteOptions = {}, most = STRETCH): Promise<Routed> {
  try {
    return await inTransaction(db, (tx) => routeStretch(db, tx, options, most));
  } catch (error: unknown) {
    if (!options.aside || isOutage(error)) throw error;
    if (most > 1) return { ...await routeEvents(db, options, Math.floor(most / 2)), more: true };
    await passOver(db, options.aside, error);
    return { told: 0, more: true };
  }
}

async function routeStretch(db: Database, tx: Tx, options: RouteOptions, most: number): Promise<Routed> {
  const channels = await tx<Channel[]>`
    select id, project_id, rules, active_since from notification where enabled order by id`;
  if (channels.length === 0) return { told: 0, more: false };
  const from = await lockCursor(tx);
  const { last, seen } = await readStretch(tx, from, most);
  if (!last) return { told: 0, more: false };
  const rows = await readTold(tx, from, last);
  const { aside } = options;
  const broken = new Set(aside?.ids(BROKEN));
  let told = 0;
  for (const channel of channels.filter(({ id }) => !broken.has(id))) {
    const tell = async (within: Tx) => {
      const wanted = rows.flatMap((row) => {
        if (row.projectId !== channel.projectId || row.createdAt < channel.activeSince) return [];
        const item = toItem(row);
        return item && isWanted(channel.rules, item) ? [{ eventId: row.id, item }] : [];
      });
      const kinds = Map.groupBy(wanted, ({ item }) => item.event as NotificationEvent);
      let count = 0;
      for (const [event, events] of kinds) count += await write(db, within, channel, event, events, options);
      return count;
    };
    told += aside && most === 1 ? await tellAlone(tx, aside, channel.id, tell) : await tell(tx);
  }
  await moveCursor(tx, last);
  return { told, more: seen === most };
}

/** Of one event: the other channels hear of it. */
async function tellAlone(
  tx: Tx,
  aside: Aside,
  channelId: string,
  tell: (tx: Tx) => Promise<number>,
): Promise<number> {
  try {
    const told = await tx.savepoint(tell) as number;
    aside.forget(channelId);
    return told;
  } catch (error: unknown) {
    if (isOutage(error) || isConflict(error)) throw error;
    aside.put(channelId, error);
    return 0;
  }
}

async function passOver(db: Database, aside: Aside, error: unknown): Promise<void> {
  const id = await inTransaction(db, async (tx) => {
    const { last } = await readStretch(tx, await lockCursor(tx), 1);
    if (last) await moveCursor(tx, last);
    return last?.id;
  });
  aside.put(`event ${id}`, error);
}

async function readStretch(
  tx: Tx,
  from: EventCursor,
  most: number,
): Promise<{ last: EventCursor | undefined; seen: number }> {
  const settled = await readSettled(tx);
  const rows = await tx<(EventCursor & { seen: number })[]>`
    with stretch as materialized (
      select xid, id from event where (xid, id) > (${from.xid}::xid8, ${from.id})
        and xid < ${settled}::xid8 order by event.xid, event.id limit ${most}
    ) select xid::text as xid, id, (select count(*)::int from stretch) as seen from stretch order by stretch.xid desc, id desc limit 1`;
  const [row] = rows;
  return { last: row && { xid: row.xid, id: row.id }, seen: row?.seen ?? 0 };
}

/** Those of the stretch that anybody could be told of, with what a rule may ask for. */
const readTold = (tx: Tx, from: EventCursor, to: EventCursor): Promise<Row[]> =>
  tx<Row[]>`
    select e.xid::text as xid, e.id, e.project_id, e.kind, e.subject_id, e.deployment_id, e.created_at,
      e.data ->> 'name' as name, e.data -> 'reason' as reason,
      v.version, coalesce(places.names, '{}') as environments, coalesce(apps.list, '[]') as applications,
      coalesce(d.removes, false) as removes
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
    ...(row.removes && { removes: true as const }),
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
