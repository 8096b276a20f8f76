import { describe, expect, it } from "vitest";
import type { Sql } from "../client.ts";
import type { Tx } from "../database.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { hasUndecidedEvents, presentCursor, readEvents, readSettled } from "./read_events.ts";
import type { EventCursor } from "./read_events.ts";

const db = await createTestDatabase();
const tell = async (kind: string, sql: Sql | Tx = db.sql) => {
  const [row] = await sql`insert into event (project_id, topic, kind) select id, 'agent', ${kind} from project
    returning xid::text as xid`;
  return row!.xid as string;
};
/** A transaction that has begun to write; nothing of it is seen until it ends. */
async function beginWork(sql: Sql = db.sql) {
  const own = await sql.reserve();
  await own`begin`;
  const [row] = await own`select pg_current_xact_id()::text as xid`;
  const end = async () => {
    await own`commit`;
    own.release();
  };
  return { own: own as unknown as Tx, xid: BigInt(row!.xid as string), end };
}
const readNow = async (after: EventCursor, limit: number) => readEvents(db, after, limit, await readSettled(db.sql));
const settledFor = async (sql: Sql | Tx) => BigInt(await readSettled(sql));

describe("events that are certain", () => {
  it("do not wait for a transaction of another database on the same server", async () => {
    const from = await presentCursor(db);
    const another = await beginWork((await createTestDatabase()).sql);
    await tell("now");
    expect((await readNow(from, 10)).map((event) => event.kind)).toEqual(["now"]);
    await another.end();
  });

  it("wait for each older one of their own, and none is passed over", async () => {
    let cursor = await presentCursor(db);
    const work = await beginWork();
    await tell("second");
    expect(await readNow(cursor, 10)).toEqual([]);
    const settled = await readSettled(db.sql);
    expect(await hasUndecidedEvents(db, settled)).toBe(true);
    expect(BigInt((await presentCursor(db)).xid)).toBeLessThanOrEqual(work.xid);
    await tell("first", work.own);
    await work.end();
    const events = await readNow(cursor, 1);
    cursor = events[0]!;
    events.push(...await readNow(cursor, 10));
    expect(events.map((event) => event.kind)).toEqual(["first", "second"]);
    // Left out of the read before, though nobody is at work any more; not of one from now on.
    expect(await hasUndecidedEvents(db, settled)).toBe(true);
    expect(await hasUndecidedEvents(db, await readSettled(db.sql))).toBe(false);
  });

  it("wait for a transaction that began while a reader's own went on", async () => {
    const before = await beginWork();
    await tell("older"); // or nobody would be asked who works
    await db.sql.begin(async (tx) => {
      await readSettled(tx); // the server keeps its list of who works for the rest of a transaction
      const work = await beginWork();
      await before.end();
      await tell("newer");
      expect(await settledFor(tx)).toBeLessThanOrEqual(work.xid);
      await work.end();
    });
  });

  it("are never a reader's own before it ends", async () => {
    await db.sql.begin(async (tx) => {
      const xid = BigInt(await tell("own", tx));
      await tell("newer");
      expect(await settledFor(tx)).toBeLessThanOrEqual(xid);
    });
  });

  it("wait for sessions that the one who asks may not look into", async () => {
    await db.sql`do $$ begin create role boreas_plain; exception when duplicate_object then null; end $$`;
    const plain = await db.sql.reserve();
    await plain`set role boreas_plain`;
    const work = await beginWork();
    await tell("newer");
    expect(await settledFor(plain)).toBeLessThanOrEqual(work.xid);
    await plain`reset role`;
    plain.release();
    await work.end();
  });

  it("come once each, in one order, to a reader beside writers of all lengths", async () => {
    const from = await presentCursor(db);
    const elsewhere = await beginWork((await createTestDatabase()).sql);
    let writing = true;
    const write = async (n: number) => {
      for (let i = 0; i < 25; i++) {
        await db.sql.begin(async (tx) => {
          await tell(`${n}.${i}.a`, tx);
          for (let turn = 0; turn < (n * i) % 7; turn++) await tx`select 1`;
          await tell(`${n}.${i}.b`, tx);
        });
      }
    };
    const read: string[] = [];
    const follow = async () => {
      for (let cursor = from, last = false; !last;) {
        last = !writing;
        for (let events; (events = await readNow(cursor, 7)).length > 0; cursor = events.at(-1)!) {
          read.push(...events.map((event) => event.kind));
        }
      }
    };
    const following = follow();
    await Promise.all(Array.from({ length: 6 }, (_, n) => write(n)));
    writing = false;
    await following;
    await elsewhere.end();
    const all = await db.sql`select kind from event where xid >= ${from.xid}::text::xid8 order by event.xid, event.id`;
    expect(read).toEqual(all.map((row) => row.kind));
    expect(new Set(read).size).toBe(300);
  });
});
