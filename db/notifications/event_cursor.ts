/** How far the events have been looked at for what is to be told; one row for each who tells, for all masters. */
import type { Tx } from "../database.ts";
import type { EventCursor } from "../events/read_events.ts";

/** Messages to people, and statuses of commits. */
export type CursorKey = "notifications.cursor" | "statuses.cursor";
const KEY: CursorKey = "notifications.cursor";

/**
 * The first channel that is switched on begins with the present: while there was none, nobody read. With others already
 * on the cursor stands where they need it.
 */
export async function startReading(tx: Tx): Promise<void> {
  const [on] = await tx`select 1 from notification where enabled limit 1`;
  if (on) return;
  await restartAtPresent(tx, KEY);
}

/** Held until the transaction ends: what is read after it is written down once. A cursor of another database's past is no cursor. */
export async function lockCursor(tx: Tx, key: CursorKey = KEY): Promise<EventCursor> {
  const read = async () =>
    (await tx<{ cursor: EventCursor; isAhead: boolean }[]>`
      select value as cursor, (value ->> 'xid')::xid8 > pg_snapshot_xmax(pg_current_snapshot()) as is_ahead
      from setting where key = ${key} for update`)[0];
  let row = await read();
  // Whoever waited for the row looks with an older snapshot at where it was moved meanwhile: asked again, now that it is held.
  if (row?.isAhead) row = await read();
  if (row && !row.isAhead) return row.cursor;
  // Written down, or the present would be another one each time and nothing ever be behind it.
  await (row ? restartAtPresent(tx, key) : startAtPresent(tx, key));
  return (await read())!.cursor;
}

const startAtPresent = (tx: Tx, key: CursorKey) =>
  tx`insert into setting (key, value)
    values (${key}, jsonb_build_object('xid', boreas_settled_xid()::text, 'id', 0))
    on conflict (key) do nothing`;

/** What happened before is not told. */
export const restartAtPresent = (tx: Tx, key: CursorKey) =>
  tx`insert into setting (key, value)
    values (${key}, jsonb_build_object('xid', boreas_settled_xid()::text, 'id', 0))
    on conflict (key) do update set value = excluded.value, updated_at = boreas_now()`;

export async function moveCursor(tx: Tx, to: EventCursor, key: CursorKey = KEY): Promise<void> {
  await tx`update setting set value = ${tx.json(to as never)}, updated_at = boreas_now() where key = ${key}`;
}
