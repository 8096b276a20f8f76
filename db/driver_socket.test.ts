import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { describe, expect, it } from "vitest";
import { startProxy } from "../tests/faults/support/tcp_proxy.ts";
import { startOwnPostgres } from "../tests/faults/support/own_postgres.ts";
import { openClient } from "./client.ts";
import type { TransactionSql } from "./client.ts";
import { createMessageWalk, cutGreeting } from "./driver_socket.ts";
import { retryableError } from "./retryable_errors.ts";

/** Who asks in the very moment of the loss is told of it too. */
const aMomentLater = () => new Promise((turn) => setTimeout(turn, 20));
const failureOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => undefined, (error: unknown) => error);

describe("a client whose connections are lost", async () => {
  const postgres = await startOwnPostgres();
  const sql = await postgres.database("lost");
  await sql`create table thing (id int primary key)`;
  const count = async () => (await sql<{ n: number }[]>`select count(*)::int as n from thing`)[0]!.n;
  /** Ends the server's side of the others' connections. */
  const terminate = () =>
    sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim' and datname = 'lost'`;
  const open = (port = postgres.port, silenceMs?: number) =>
    openClient(postgres.url("lost", port), { max: 2, applicationName: "victim", silenceMs });

  it("goes on with new ones, without a word of the old", async () => {
    const client = open();
    for (let round = 0; round < 5; round++) {
      const asleep = [1, 2].map(() => failureOf(client`select pg_sleep(60)`));
      await expect.poll(async () =>
        (await sql`select 1 from pg_stat_activity where application_name = 'victim' and wait_event = 'PgSleep'`).length
      ).toBe(2);
      await terminate();
      for (const error of await Promise.all(asleep)) expect(retryableError(error)).toMatchObject({ effect: "unknown" });
      await aMomentLater();
      expect(await Promise.all([1, 2, 3].map(() => client`select 1 as one`))).toEqual(Array(3).fill([{ one: 1 }]));
    }
    await client.end({ timeout: 1 });
  });

  it.each(["statements", "transactions"])("goes on when %s are begun in every moment of the loss", async (kind) => {
    for (let round = 0; round < 6; round++) {
      const client = openClient(postgres.url("lost"), { max: 3, applicationName: "victim" });
      await Promise.all([1, 2, 3].map(() => client`select pg_sleep(0.02)`));
      let isOver = false;
      const asked: Promise<unknown>[] = [];
      const ask = async (nextTurn: (turn: () => void) => void) => {
        while (!isOver) {
          asked.push(failureOf(kind === "statements" ? client`select 1` : client.begin((tx) => tx`select 1`)));
          await new Promise<void>(nextTurn);
        }
      };
      const askers = [setImmediate, setTimeout, setImmediate].map((next) => ask((turn) => void next(turn)));
      await aMomentLater();
      await terminate();
      await aMomentLater();
      isOver = true;
      await Promise.all(askers);
      await Promise.all(asked);
      // A connection that keeps its greeting to itself would let its statement wait, and fail it.
      expect(await Promise.all([1, 2, 3].map(() => client`select 1 as one`))).toEqual(Array(3).fill([{ one: 1 }]));
      for (const error of await Promise.all(asked)) expect(error).not.toMatchObject({ code: "CONNECT_TIMEOUT" });
      await client.end({ timeout: 1 });
    }
  });

  it("ends a transaction with its connection: nothing of it comes later, on another one", async () => {
    const client = open();
    for (let round = 0; round < 5; round++) {
      const gone = Promise.withResolvers<void>();
      const inside = Promise.withResolvers<TransactionSql>();
      const transaction = failureOf(client.begin(async (tx) => {
        await tx`insert into thing values (${round})`;
        inside.resolve(tx);
        await gone.promise; // it does something else while its connection is lost
        await tx`insert into thing values (${100 + round})`;
      }));
      await inside.promise;
      await terminate();
      expect(retryableError(await transaction)).toMatchObject({ effect: "unknown" });
      const other = client.begin(async (tx) => {
        await tx`select 1`;
        gone.resolve();
        await aMomentLater(); // were the first to go on, it would be now
        await tx`select 1`;
      });
      await other;
      expect(await count()).toBe(0);
    }
    await client.end({ timeout: 1 });
  });

  it("gives up a connection that says nothing any more, and asks on another", async () => {
    const proxy = await startProxy({ to: postgres });
    const client = open(proxy.port, 3000); // a busy server takes its time to greet
    await Promise.all([1, 2].map(() => client`select pg_sleep(0.05)`));
    proxy.strand();
    const failures = await Promise.all([1, 2].map(() => failureOf(client`select 1`)));
    for (const error of failures) expect(retryableError(error)).toBeDefined();
    await aMomentLater();
    expect(await client`select 1 as one`).toEqual([{ one: 1 }]);
    await client.end({ timeout: 1 });
    await proxy.close();
  });

  it("ends a statement that takes longer than silence may, and keeps the connection", async () => {
    const client = open(postgres.port, 3000);
    const [before] = await client`select pg_backend_pid() as pid`;
    expect(await failureOf(client`select pg_sleep(60)`)).toMatchObject({ code: "57014" });
    const [after] = await client`select pg_backend_pid() as pid`;
    expect(after!.pid).toBe(before!.pid);
    await client.end({ timeout: 1 });
  });

  it("is refused with the server's own words, and comes in later", async () => {
    const late = openClient(postgres.url("nowhere"), { max: 1 });
    expect(await failureOf(late`select 1`)).toMatchObject({ code: "3D000" });
    await sql.unsafe("create database nowhere");
    expect(await late`select 1 as one`).toEqual([{ one: 1 }]);
    await late.end({ timeout: 1 });
  });
});

it("insists on TLS where the address asks for it", async () => {
  const plain: Server = createServer((socket) => socket.once("data", () => socket.write("N")));
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  const { port } = plain.address() as AddressInfo;
  const client = openClient(`postgres://x@127.0.0.1:${port}/x?sslmode=require`, { max: 1 });
  await expect(client`select 1`).rejects.toThrow(/does not speak TLS/);
  await client.end({ timeout: 1 });
  plain.close();
});

describe("the server's last words", () => {
  const message = (type: string, body: string) => {
    const bytes = new TextEncoder().encode(body);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setInt32(0, bytes.length + 4);
    return [type.charCodeAt(0), ...length, ...bytes];
  };
  const error = (severity: string) => message("E", `SX\0V${severity}\0C57P01\0Mgoodbye\0\0`);

  it("are found at the border of any two messages, and nowhere within one", () => {
    const row = message("D", "EEEE" + String.fromCharCode(...error("FATAL")));
    const stream = [...row, ...error("ERROR"), ...message("Z", "I"), ...error("FATAL")];
    const fatalAt = stream.length - error("FATAL").length;
    for (let cut = 0; cut <= fatalAt; cut++) {
      const walk = createMessageWalk();
      expect(walk(new Uint8Array(stream.slice(0, cut)))).toEqual({ fatalAt: -1 });
      const found = walk(new Uint8Array(stream.slice(cut)));
      expect(found.fatalAt).toBe(fatalAt - cut);
      expect(found.reason).toMatchObject({ code: "57P01", message: expect.stringContaining("goodbye") });
    }
  });
});

it("takes a greeting from among what was meant for the connection before", () => {
  const greeting = new Uint8Array([0, 0, 0, 9, 0, 3, 0, 0, 0]);
  for (const held of [[], [80, 0, 0, 0, 4], [...greeting, 83, 0, 0, 0, 4]]) {
    expect([...cutGreeting(new Uint8Array([...held, ...greeting]))]).toEqual([...greeting]);
  }
});
