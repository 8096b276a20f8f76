import postgres from "postgres";
import { describe, expect, it } from "vitest";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import { openClient, type Sql, type TransactionSql } from "./client.ts";
import { isConflict, retryableError } from "./retryable_errors.ts";

const failureOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => undefined, (error: unknown) => error);

/** Two transactions that both did `first` before either does `second`. */
async function crossing(
  sql: Sql,
  level: string,
  work: (tx: TransactionSql, mine: number, other: number) => [() => Promise<unknown>, () => Promise<unknown>],
) {
  let here = 0;
  const both = Promise.withResolvers<void>();
  const run = (mine: number, other: number) =>
    failureOf(sql.begin(level, async (tx) => {
      const [first, second] = work(tx, mine, other);
      await first();
      if (++here === 2) both.resolve();
      await both.promise;
      await second();
    }));
  return (await Promise.all([run(1, 2), run(2, 1)])).filter(Boolean);
}

describe("failures of a real server that pass by themselves", async () => {
  const db = await createTestDatabase();
  await db.sql`create table thing (id int primary key, n int)`;
  await db.sql`insert into thing values (1, 0), (2, 0)`;

  it("a deadlock: nothing was committed", async () => {
    const errors = await crossing(db.sql, "read write", (tx, mine, other) => [
      () => tx`update thing set n = n + 1 where id = ${mine}`,
      () => tx`update thing set n = n + 1 where id = ${other}`,
    ]);
    expect(errors.map(retryableError)).toEqual([{ why: "broke a deadlock", effect: "none", delayMs: 20 }]);
    expect(errors.map(isConflict)).toEqual([true]);
  });

  it("a serialisation failure: nothing was committed", async () => {
    const errors = await crossing(db.sql, "isolation level serializable", (tx, mine, other) => [
      () => tx`select n from thing where id = ${other}`,
      () => tx`update thing set n = n + 1 where id = ${mine}`,
    ]);
    expect(errors.map(retryableError)).toEqual([expect.objectContaining({ effect: "none" })]);
  });

  it("a lock that is not given in time: nothing was committed", async () => {
    await db.sql.begin(async (holder) => {
      await holder`select 1 from thing where id = 1 for update`;
      const error = await failureOf(db.sql`select 1 from thing where id = 1 for update nowait`);
      expect(retryableError(error)).toMatchObject({ effect: "none" });
    });
  });

  it("a server that ends the connection: the effect is unknown", async () => {
    const victim = openClient(db.target, { max: 1 });
    const [row] = await victim`select pg_backend_pid() as pid`;
    const failure = failureOf(victim`select pg_sleep(60)`);
    await expect.poll(async () =>
      (await db.sql`select pg_terminate_backend(pid) as done from pg_stat_activity where pid = ${
        row!.pid
      } and state = 'active'`)[0]?.done
    ).toBe(true);
    expect(retryableError(await failure)).toMatchObject({ effect: "unknown" });
    expect(isConflict(await failure)).toBe(false);
    await victim.end({ timeout: 1 });
  });

  it("a server that is not there: nothing was sent", async () => {
    for (const target of ["postgres://x@127.0.0.1:1/x", { host: "/nowhere", port: 5432, user: "x", database: "x" }]) {
      const client = openClient(target, { max: 1 });
      expect(retryableError(await failureOf(client`select 1`))).toMatchObject({ effect: "none" });
      await client.end({ timeout: 1 });
    }
  });
});

describe("failures that trying again does not mend", () => {
  it("are our mistakes, our own cancelling, and what is no error of the database", async () => {
    const db = await createTestDatabase();
    const client = openClient(db.target, { max: 1 });
    const unique = await failureOf(client.unsafe("create temp table t (i int unique); insert into t values (1), (1)"));
    const syntax = await failureOf(client.unsafe("selekt"));
    await client.end();
    const ended = await failureOf(client`select 1`);
    for (const error of [unique, syntax, ended, new Error("other"), "text", undefined, null]) {
      expect(retryableError(error)).toBeUndefined();
    }
    expect(unique).toBeInstanceOf(postgres.PostgresError);
  });

  it("are seen through the wrapping of a query library", () => {
    const cause = Object.assign(new Error("deadlock detected"), { code: "40P01" });
    expect(retryableError(new Error("Failed query", { cause }))).toMatchObject({ effect: "none" });
  });
});
