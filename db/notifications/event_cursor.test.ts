import { expect, it } from "vitest";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { lockCursor, moveCursor } from "./event_cursor.ts";

it("skips nothing when two look at once: who waited goes on where the other one stopped", async () => {
  const db = await createTestDatabase();
  await db.sql.begin((tx) => lockCursor(tx));
  const waits = async () =>
    (await db.sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
      .length;
  let second: Promise<unknown> | undefined;
  const moved = await db.sql.begin(async (tx) => {
    await lockCursor(tx);
    second = db.sql.begin((other) => lockCursor(other));
    await expect.poll(waits, { timeout: 30_000 }).toBe(1);
    // Happened after the other one's snapshot and before its turn.
    const [event] = await db.sql`insert into event (project_id, topic, kind) select id, 'agent', 'x' from project
      returning xid::text as xid, id`;
    const cursor = { xid: event!.xid as string, id: event!.id as number };
    await moveCursor(tx, cursor);
    return cursor;
  });
  expect(await second).toEqual(moved);
});
