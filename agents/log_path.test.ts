/** The whole way of a log, over real sockets that are cut, and through a proxy that repeats and reorders messages. */
import fc from "../tests/helpers/fast_check.ts";
import { afterEach, describe, expect, it } from "vitest";
import type { Dialer, Link } from "../domain/ports.ts";
import { createClock } from "../host/clock.ts";
import { createDialer } from "../host/dial.ts";
import { createDisk } from "../host/disk.ts";
import { resolveMaster } from "../host/master_address.ts";
import { MAX_FRAME_BYTES, SUBPROTOCOL } from "../protocol/agent_messages.ts";
import { createFakeMaster, dispatchOf, memoryDialer, serveFakeMaster } from "../tests/helpers/fake_master.ts";
import { createMemoryDisk } from "../tests/helpers/memory_disk.ts";
import { createTestAgent } from "../tests/helpers/test_agent.ts";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { gapMarker } from "../domain/log_marker.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

describe("the log of a task", () => {
  it("has no gap and no duplicate when the socket is cut twenty times at random", async () => {
    const master = createFakeMaster();
    const served = await serveFakeMaster(master);
    cleanups.push(served.close);
    const folder = await Deno.makeTempDir();
    const disk = await createDisk(folder);
    cleanups.push(() => Deno.remove(folder, { recursive: true }), () => disk.close());
    const address = await resolveMaster({ url: served.url });
    const { agent, runs } = createTestAgent({
      dialer: createDialer(address, { subprotocol: SUBPROTOCOL, maxFrameBytes: MAX_FRAME_BYTES }),
      clock: createClock(),
      chance: () => 0.02,
      disk,
    });
    await agent.start();
    await master.until(() => master.ofType("agent.hello").length === 1);
    master.send(dispatchOf("t1"));
    await master.until(() => master.ofType("task.accept").length === 1);
    await expect.poll(() => runs.length).toBe(1);
    const seed = Math.floor(Math.random() * 2 ** 31);
    const lines = 40_000;
    const written = (async () => {
      for (let i = 0; i < lines;) {
        let text = "";
        for (let n = 0; n < 200 && i < lines; n++) text += `${i++} a line of the log\n`;
        await runs[0]!.context.log(text);
      }
      runs[0]!.end();
    })();
    let random = seed;
    for (let cut = 0; cut < 20; cut++) {
      random = (random * 1103515245 + 12345) % 2 ** 31;
      const chunks = master.ofType("log.chunk").length + 1 + random % 5;
      await master.until(() => master.ofType("log.chunk").length >= chunks || master.results.length > 0);
      master.link?.terminate();
      if (master.results.length === 0) await master.until(() => master.connections > cut + 1);
    }
    await written;
    await master.until(() => master.results.length > 0);
    const whole = Array.from({ length: lines }, (_, i) => `${i} a line of the log\n`).join("");
    expect(master.logText("t1") === whole, `seed ${seed}`).toBe(true);
    expect(master.complaints).toEqual([]);
    await expect.poll(() => agent.status().unacknowledged).toBe(0);
    await agent.stop({ drain: true });
    await expect.poll(() => disk.list("spool")).toEqual([]);
  });

  it("comes through byte for byte whatever an application prints", async () => {
    const clock = createVirtualClock();
    const master = createFakeMaster();
    const { agent, runs } = createTestAgent({ clock, dialer: memoryDialer(master) });
    await agent.start();
    await clock.settle();
    master.send(dispatchOf("t1"));
    await clock.settle();
    const emoji = new TextEncoder().encode("🚀");
    const pieces = [
      new Uint8Array(5_000_000).fill(120),
      new TextEncoder().encode("\nnext line\r10%\r20%\n"),
      new Uint8Array([0, 0xff, 0xfe, 0xc3, 0x28]),
      emoji.slice(0, 2),
      emoji.slice(2),
      new TextEncoder().encode("no final newline"),
    ];
    for (const piece of pieces) {
      void runs[0]!.context.log(piece);
      await clock.advance(30);
    }
    runs[0]!.end();
    await clock.advance(1000);
    const emitted = new Uint8Array(pieces.flatMap((piece) => [...piece]));
    expect(master.logBytes("t1").length).toBe(emitted.length);
    expect(master.logBytes("t1").every((byte, i) => byte === emitted[i])).toBe(true);
    expect(master.results.length).toBe(1);
    await agent.stop({ drain: true });
  });

  it("is whole when messages arrive twice and in another order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat(9)), async (noise) => {
        const clock = createVirtualClock();
        const master = createFakeMaster({ leaseSeconds: 30 });
        let isCalm = false;
        const { agent, runs } = createTestAgent({
          clock,
          dialer: unruly(memoryDialer(master), () => isCalm ? 9 : noise.next().value!),
        });
        await agent.start();
        await clock.settle();
        master.send(dispatchOf("t1"));
        while (runs.length === 0) await clock.advance(5000);
        let whole = "";
        for (let i = 0; i < 30; i++) {
          whole += `line ${i}\n`;
          void runs[0]!.context.log(`line ${i}\n`);
          await clock.advance(30);
        }
        runs[0]!.end();
        await clock.advance(60_000);
        isCalm = true; // a line that holds every message back for ever would be no line
        await clock.advance(60_000);
        expect(master.logText("t1")).toBe(whole);
        expect(master.results.length).toBeGreaterThan(0);
        expect(runs.length).toBe(1);
        expect(master.complaints).toEqual([]);
        expect(agent.status()).toMatchObject({ running: 0, unacknowledged: 0 });
        await agent.stop({ drain: false });
      }),
      { numRuns: 30 },
    );
  });

  it("passes output over when the spool is full while the master is away, and says how much", async () => {
    const clock = createVirtualClock();
    const master = createFakeMaster();
    let isAway = false;
    const dialer = memoryDialer(master);
    const { agent, runs } = createTestAgent({
      clock,
      dialer: { dial: () => isAway ? Promise.reject(new Error("away")) : dialer.dial() },
      spoolBytes: 100,
    });
    await agent.start();
    await clock.settle();
    master.send(dispatchOf("t1"));
    await clock.settle();
    isAway = true;
    master.link!.terminate();
    for (let i = 0; i < 10; i++) await runs[0]!.context.log(`${String(i).repeat(19)}\n`);
    isAway = false;
    await clock.advance(5000);
    await runs[0]!.context.log("and on\n");
    await clock.advance(1000);
    const kept = [0, 1, 2, 3, 4].map((i) => `${String(i).repeat(19)}\n`).join("");
    expect(master.logText("t1")).toBe(`${kept}${gapMarker({ cause: "spool", bytes: 100 })}and on\n`);
    await agent.stop({ drain: false });
  });

  it("fails no other task when the master has more of a log than the spool: that attempt is given up", async () => {
    const disk = createMemoryDisk();
    const clock = createVirtualClock();
    const master = createFakeMaster();
    const first = createTestAgent({ clock, disk, dialer: memoryDialer(master) });
    await first.agent.start();
    await clock.settle();
    master.send(dispatchOf("t1"), dispatchOf("t2"));
    await clock.settle();
    for (const run of first.runs) await run.context.log("before the power failed\n");
    await clock.advance(100);
    await first.agent.stop({ drain: false });
    await disk.truncate("spool/t1.1/bytes.0", 3);
    const second = createTestAgent({ clock, disk, dialer: memoryDialer(master) });
    await second.agent.start();
    await clock.advance(100);
    const reasons = second.runs.map((run) => [run.context.taskId, run.context.signal.reason?.kind]);
    expect(Object.fromEntries(reasons)).toEqual({ t1: "lost", t2: undefined });
  });
});

/** Repeats and holds back frames in both directions, as a broken proxy would; never the greeting. */
function unruly(dialer: Dialer, chance: () => number): Dialer {
  return {
    async dial() {
      const link = await dialer.dial();
      const mix = (deliver: (text: string) => void) => {
        const held: string[] = [];
        return (text: string) => {
          if (/agent\.(hello|challenge|welcome)/.test(text)) return deliver(text);
          const luck = chance();
          if (luck === 0) held.push(text);
          else deliver(text);
          if (luck === 1) deliver(text);
          if (luck === 2) held.push(text);
          if (luck > 5) { for (const late of held.splice(0)) deliver(late); }
        };
      };
      const wrapped: Link = {
        ...link,
        bufferedAmount: 0,
        send: mix(link.send),
        onText: (listen) => link.onText(mix(listen)),
      };
      return wrapped;
    },
  };
}
