import { expect, it } from "vitest";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { waitingForLocks } from "../../tests/helpers/waiting_for_locks.ts";
import { lockCursor, moveCursor } from "./event_cursor.ts";

it("skips nothing when two look at once: who waited goes on where the other one stopped", async () => {
  const db = await createTestDatabase();
  await db.sql.begin((tx) => lockCursor(tx));
  let cursor: { xid: string; id: number } | undefined;
  let second: Promise<unknown> | undefined;
  await db.sql.begin(async (tx) => {
    await lockCursor(tx);
    second = db.sql.begin((other) => lockCursor(other)); // its snapshot knows nothing of what comes now
    await expect.poll(() => waitingForLocks(db)).toBe(1);
    const [event] = await db.sql`insert into event (project_id, topic, kind) select id, 'agent', 'x' from project
      returning xid::text as xid, id`;
    cursor = { xid: event!.xid as string, id: event!.id as number };
    await moveCursor(tx, cursor);
  });
  expect(await second).toEqual(cursor);
});
