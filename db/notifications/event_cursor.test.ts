import { expect, it } from "vitest";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { waitingForLocks } from "../../tests/helpers/waiting_for_locks.ts";
import { lockCursor, moveCursor } from "./event_cursor.ts";

it("skips nothing when two look at once: who waited goes on where the other one stopped", async () => {
  const db = await createTestDatabase();
  await db.sql.begin((tx) => lockCursor(tx));
  /** Whether everything that began before it has ended, whoever else uses this server: only then is an event looked at. */
  const isSettled = async (xid: string) =>
    (await db.sql`select 1 where pg_snapshot_xmin(pg_current_snapshot()) > ${xid}::text::xid8`).length;

  const old = await db.sql.reserve();
  await old`begin`;
  await old`select pg_current_xact_id()`;
  const [event] = await db.sql`insert into event (project_id, topic, kind) select id, 'agent', 'x' from project
    returning xid::text as xid, id`;
  const cursor = { xid: event!.xid as string, id: event!.id as number };
  let second: Promise<unknown> | undefined;
  await db.sql.begin(async (tx) => {
    await lockCursor(tx);
    second = db.sql.begin((other) => lockCursor(other)); // its snapshot still has the old one's work as open
    await expect.poll(() => waitingForLocks(db)).toBe(1);
    await old`commit`;
    old.release();
    await expect.poll(() => isSettled(cursor.xid)).toBe(1);
    await moveCursor(tx, cursor);
  });
  expect(await second).toEqual(cursor);
});
