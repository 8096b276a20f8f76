import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { expect, it, onTestFinished } from "vitest";
import { startOwnPostgres } from "../tests/faults/support/own_postgres.ts";
import { startProxy } from "../tests/faults/support/tcp_proxy.ts";
import { openClient, toInstant } from "./client.ts";

it("says every instant as the calendar would, whatever its fraction and its form", () => {
  const texts = ["", ".1", ".12", ".123", ".123456", ".999999"].map((fraction) => `2026-11-22 13:04:05${fraction}+00`);
  for (const text of [...texts, "1999-12-31 23:59:59.5+00", "2026-11-22 13:04:05.25+02", "2026-11-22 13:04:05-03:30"]) {
    expect(toInstant(text), text).toBe(new Date(text).toISOString());
  }
});

it("asks a connection of a pooler one thing at a time, and others as many as there are", async () => {
  const postgres = await startOwnPostgres();
  const direct = await postgres.database("in_turn");
  /** Whether the end of a question (S) or of an answer (Z) passed, in this order, while the first question waited. */
  const orderOf = async (pooler: boolean) => {
    const passed: string[] = [];
    const types = { up: createTypeReader(true), down: createTypeReader(false) };
    const ends = { up: ["S", "Q"], down: ["Z"] };
    const proxy = await startProxy({
      to: postgres,
      onFrame(bytes, direction) {
        for (const type of types[direction](bytes)) {
          if (ends[direction].includes(type)) passed.push(direction === "up" ? "S" : "Z");
        }
        return bytes;
      },
    });
    onTestFinished(proxy.close);
    const client = openClient(postgres.url("in_turn", proxy.port), { max: 1, pooler });
    await client`select 1`;
    const from = passed.length;
    const [lock] = await direct.reserve().then(async (own) => [own, await own`select pg_advisory_lock(7)`] as const);
    const answers = Promise.all([
      client`select pg_advisory_xact_lock_shared(7)`,
      client`select 2 as b`,
      client`select ${"a"}::text as a`,
      client.begin((tx) => Promise.all([tx`select 3 as c`, tx`select ${"d"}::text as d`])),
      client`select repeat('x', 300000) as e`,
      client`select * from nowhere`.catch((error: Error) => [{ f: error.message }]),
      client`select ${"g"}::text as g`,
    ]);
    const waits = () => direct`select from pg_locks where locktype = 'advisory' and not granted`;
    await expect.poll(async () => (await waits()).length).toBe(1);
    await lock`select pg_advisory_unlock(7)`;
    lock.release();
    const [, b, a, [c, d], e, f, g] = await answers;
    const said = [a, b, c, d, f, g].map((rows) => ({ ...rows![0] }));
    expect(said).toEqual([
      { a: "a" },
      { b: 2 },
      { c: 3 },
      { d: "d" },
      { f: 'relation "nowhere" does not exist' },
      { g: "g" },
    ]);
    expect(e[0]!.e).toHaveLength(300_000);
    await client.end({ timeout: 5 });
    return passed.slice(from).join("");
  };
  expect(await orderOf(true)).toMatch(/^(SZ)+$/);
  expect(await orderOf(false)).toMatch(/SS/);
  await direct.end({ timeout: 5 });
}, 60_000);

it("takes data in through a pooler's connection, asked for at once with other things", async () => {
  const postgres = await startOwnPostgres();
  await postgres.database("copied");
  const client = openClient(postgres.url("copied"), { max: 1, pooler: true, silenceMs: null });
  await client`create table thing (id int, text text)`;
  const copyIn = client.begin(async (tx) => {
    const rows = Array.from({ length: 3000 }, (_, n) => `${n}\t${"x".repeat(n)}\n`);
    await pipeline(Readable.from(rows), await tx`copy thing from stdin`.writable());
    return await tx`select count(*)::int as n, sum(length(text))::int as characters from thing`;
  });
  const large = Array.from({ length: 40 }, (_, n) => client`select length(${"y".repeat(100_000 + n)}) as n`);
  expect([...await copyIn]).toEqual([{ n: 3000, characters: 2999 * 1500 }]);
  expect((await Promise.all(large)).map(([row]) => row!.n)).toEqual(large.map((_, n) => 100_000 + n));
  await client.end({ timeout: 5 });
}, 60_000);

/** @param greets the first message has no type */
function createTypeReader(greets: boolean): (bytes: Uint8Array) => string[] {
  let rest = Buffer.alloc(0);
  let head = greets ? 0 : 1;
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const types: string[] = [];
    while (rest.length >= head + 4 && rest.length >= head + rest.readUInt32BE(head)) {
      if (head === 1) types.push(String.fromCharCode(rest[0]!));
      rest = rest.subarray(head + rest.readUInt32BE(head));
      head = 1;
    }
    return types;
  };
}
