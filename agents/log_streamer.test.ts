import fc from "../tests/helpers/fast_check.ts";
import { describe, expect, it } from "vitest";
import { type FromAgent, LOG_CHUNK_BYTES, LOG_WINDOW_CHUNKS } from "../protocol/agent_messages.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createLogStreamer, FLUSH_MS } from "./log_streamer.ts";
import { createMemoryDisk } from "./memory_disk.ts";
import { openSpool, type Spool } from "./spool.ts";

type Chunk = Extract<FromAgent, { type: "log.chunk" }>;
/** Long enough for the whole window. */
const LEASE_SECONDS = 60;
const bytesOf = (text: string) => new TextEncoder().encode(text);

function setUp() {
  const clock = createVirtualClock();
  const sent: Chunk[] = [];
  const done: string[] = [];
  const disk = createMemoryDisk();
  const streamer = createLogStreamer({
    clock,
    logger: { log() {} },
    send: (message) => void sent.push(message as Chunk),
    bufferedAmount: () => 0,
    onSent: (taskId) => void done.push(`sent ${taskId}`),
    onDrained: (taskId) => void done.push(`drained ${taskId}`),
  });
  const add = async (taskId: string): Promise<Spool> => {
    const spool = await openSpool(disk, `spool/${taskId}.1`, { used: 0, cap: 1 << 30 }, () => streamer.grown(taskId));
    streamer.add(taskId, 1, spool);
    return spool;
  };
  const ack = (chunk: Chunk) => streamer.acknowledged(chunk.taskId, 1, chunk.offset + lengthOf(chunk));
  return { clock, sent, done, streamer, add, ack };
}
const lengthOf = (chunk: Chunk) => chunk.encoding === "utf8" ? bytesOf(chunk.data).length : atob(chunk.data).length;
const names = (chunks: Chunk[]) => chunks.map((c) => `${c.taskId}${c.sequence}`);

describe("log streamer", () => {
  it("waits 25 ms for more, but not when a chunk is full", async () => {
    const { clock, sent, streamer, add } = setUp();
    const spool = await add("a");
    streamer.connected(LEASE_SECONDS);
    await spool.append(bytesOf("a line\n"), 7);
    await clock.advance(FLUSH_MS - 1);
    expect(sent.length).toBe(0);
    await clock.advance(1);
    expect(sent).toMatchObject([{ sequence: 0, offset: 0, encoding: "utf8", data: "a line\n" }]);
    await spool.append(new Uint8Array(LOG_CHUNK_BYTES + 5).fill(120), 0);
    await clock.settle();
    expect(sent.map(lengthOf)).toEqual([7, LOG_CHUNK_BYTES]);
    await clock.advance(FLUSH_MS);
    expect(sent.map(lengthOf)).toEqual([7, LOG_CHUNK_BYTES, 5]);
  });

  it.each([60, 30, 12, 3])(
    "lets no renewal wait longer than a sixth of a lease of %d s, or about half a second, behind the log when the line turns thin",
    async (leaseSeconds) => {
      const { clock, sent, streamer, add, ack } = setUp();
      await (await add("a")).append(new Uint8Array(200 * LOG_CHUNK_BYTES).fill(120), 0);
      streamer.connected(leaseSeconds);
      // As quick as can be, for long.
      for (let n = 0; n < 100; n++) {
        await clock.settle();
        ack(sent[n]!);
      }
      await clock.settle();
      const behind = sent.slice(100).reduce((sum, chunk) => sum + chunk.data.length, 0);
      expect(behind).toBeGreaterThanOrEqual(4 * LOG_CHUNK_BYTES);
      expect(behind / 250_000).toBeLessThanOrEqual(Math.max(leaseSeconds / 6, 4 * LOG_CHUNK_BYTES / 250_000));
    },
  );

  it("never has more than 32 chunks on their way over all tasks, and serves the tasks in turn", async () => {
    const { clock, sent, streamer, add, ack } = setUp();
    const big = new Uint8Array(100 * LOG_CHUNK_BYTES).fill(120);
    await (await add("a")).append(big, 0);
    await (await add("b")).append(big, 0);
    streamer.connected(LEASE_SECONDS);
    await clock.settle();
    expect(names(sent)).toEqual(["a0", "b0", "a1", "b1"]);
    let acknowledged = 0;
    while (acknowledged < 200) {
      expect(sent.length - acknowledged).toBeLessThanOrEqual(LOG_WINDOW_CHUNKS);
      ack(sent[acknowledged++]!);
      await clock.settle();
    }
    expect(streamer.status()).toEqual({ window: LOG_WINDOW_CHUNKS, inFlight: 0 });
    expect(names(sent).slice(0, 6)).toEqual(["a0", "b0", "a1", "b1", "a2", "b2"]);
    expect(new Set(names(sent)).size).toBe(200);
  });

  it("lets less on its way when the line is slow, so that a renewal does not wait behind the log", async () => {
    const { clock, sent, streamer, add, ack } = setUp();
    await (await add("a")).append(new Uint8Array(50 * LOG_CHUNK_BYTES).fill(120), 0);
    streamer.connected(LEASE_SECONDS);
    await clock.settle();
    for (let i = 0; i < 6; i++) {
      await clock.advance(1500);
      ack(sent[i]!);
      await clock.settle();
    }
    expect(streamer.status()).toEqual({ window: 1, inFlight: 1 });
  });

  it("goes back when the master says where its log ends, with the same bytes", async () => {
    const { clock, sent, streamer, add } = setUp();
    const spool = await add("a");
    streamer.connected(LEASE_SECONDS);
    for (const text of ["one ", "two ", "three"]) {
      await spool.append(bytesOf(text), 0);
      await clock.advance(FLUSH_MS);
    }
    streamer.acknowledged("a", 1, 4);
    streamer.acknowledged("a", 1, 4); // the second chunk did not arrive
    streamer.acknowledged("a", 1, 4);
    await clock.advance(50);
    expect(sent.map((c) => `${c.sequence}@${c.offset} ${c.data}`)).toEqual([
      "0@0 one ",
      "1@4 two ",
      "2@8 three",
      "1@4 two ",
      "2@8 three",
    ]);
  });

  it("gives a master that asks for the same again and again ever more time", async () => {
    const { clock, sent, streamer, add } = setUp();
    const spool = await add("a");
    streamer.connected(LEASE_SECONDS);
    await spool.append(bytesOf("x"), 0);
    await clock.advance(FLUSH_MS);
    for (let second = 0; second < 60 * 10; second++) {
      streamer.acknowledged("a", 1, 0);
      await clock.advance(100);
    }
    expect(sent.length).toBeLessThan(15);
  });

  it("sends again what nobody said a word about", async () => {
    const { clock, sent, streamer, add } = setUp();
    const spool = await add("a");
    streamer.connected(LEASE_SECONDS);
    await spool.append(bytesOf("x"), 0);
    await clock.advance(FLUSH_MS + 16_000);
    expect(names(sent)).toEqual(["a0", "a0"]);
  });

  it("ignores acknowledgements of another lease and of bytes it never had", async () => {
    const { clock, sent, streamer, add } = setUp();
    const spool = await add("a");
    streamer.connected(LEASE_SECONDS);
    await spool.append(bytesOf("abc"), 0);
    await clock.advance(FLUSH_MS);
    streamer.acknowledged("a", 2, 3);
    streamer.acknowledged("b", 1, 3);
    expect(spool.acknowledged).toBe(0);
    streamer.acknowledged("a", 1, 1_000_000);
    expect(spool.acknowledged).toBe(3);
    await clock.advance(1000);
    expect(names(sent)).toEqual(["a0"]);
  });

  it("says when all of a finished log was sent, and when all of it has arrived", async () => {
    const { clock, sent, done, streamer, add, ack } = setUp();
    const spool = await add("a");
    streamer.connected(LEASE_SECONDS);
    await spool.append(bytesOf("all"), 3);
    await spool.finish();
    await clock.settle();
    expect(done).toEqual(["sent a"]);
    ack(sent[0]!);
    expect(done).toEqual(["sent a", "sent a", "drained a"]);
    await (await add("empty")).finish();
    expect(done.slice(3)).toEqual(["sent empty", "drained empty"]);
  });

  it("says so also when a late word tells that nothing has to be sent again", async () => {
    const { clock, sent, done, streamer, add, ack } = setUp();
    const spool = await add("a");
    streamer.connected(LEASE_SECONDS);
    await spool.append(bytesOf("all"), 3);
    await clock.advance(FLUSH_MS);
    streamer.acknowledged("a", 1, 0);
    await spool.finish();
    ack(sent[0]!);
    expect(done).toEqual(["sent a", "drained a"]);
  });

  it("goes on after a lost connection from where the master is, whatever was on its way", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(6), { maxLength: 20 }),
        async (sizes, taken) => {
          const { clock, sent, streamer, add } = setUp();
          const spool = await add("a");
          const master: number[] = [];
          let sequence = 0;
          let next = 0;
          streamer.connected(LEASE_SECONDS);
          for (const [i, size] of sizes.entries()) {
            await spool.append(Uint8Array.from({ length: size }, (_, n) => 97 + (n + i) % 26), 0);
            await clock.advance(FLUSH_MS);
            // The master takes some chunks and its words on some of them are lost with the connection.
            for (const chunk of sent.slice(next, next + (taken[i] ?? 3))) {
              if (chunk.sequence === sequence && chunk.offset === master.length) {
                master.push(...bytesOf(chunk.data));
                sequence++;
              } else expect(chunk.sequence).toBeLessThan(sequence);
            }
            next = sent.length;
            streamer.disconnected();
            expect(streamer.align("a", master.length)).toBe(true);
            streamer.connected(LEASE_SECONDS);
            await clock.settle();
          }
          for (let i = 0; master.length < spool.end && i < 50; i++) {
            for (const chunk of sent.slice(next)) {
              next++;
              if (chunk.sequence === sequence) {
                master.push(...bytesOf(chunk.data));
                sequence++;
              }
              streamer.acknowledged("a", 1, master.length);
            }
            await clock.advance(FLUSH_MS * 4);
          }
          const whole = sizes.flatMap((size, i) => Array.from({ length: size }, (_, n) => 97 + (n + i) % 26));
          expect(master.length).toBe(whole.length);
          expect(master.every((byte, i) => byte === whole[i])).toBe(true);
          expect(streamer.isDrained("a")).toBe(false); // not finished
        },
      ),
      { numRuns: 25 },
    );
  });

  it("refuses to go on from an offset that its spool does not have", async () => {
    const { streamer, add } = setUp();
    const spool = await add("a");
    await spool.append(bytesOf("abc"), 3);
    expect(streamer.align("a", 7)).toBe(false);
    expect(streamer.align("a", 0)).toBe(true);
  });
});
