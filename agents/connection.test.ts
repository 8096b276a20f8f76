import { describe, expect, it } from "vitest";
import type { Dialer, Link } from "../domain/ports.ts";
import { CLOSE } from "../protocol/agent_messages.ts";
import { createFakeMaster, dispatchOf, memoryDialer } from "../tests/helpers/fake_master.ts";
import { createTestAgent, TRUSTED_IDENTITY } from "../tests/helpers/test_agent.ts";
import { createVirtualClock, type VirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createConnection, silenceMs } from "./connection.ts";
import { createMemoryLinkPair } from "./memory_link.ts";

async function setUp(wrap: (dialer: Dialer, clock: VirtualClock) => Dialer = (d) => d, chance = () => 0.5) {
  const clock = createVirtualClock();
  const master = createFakeMaster();
  const revoked: string[] = [];
  const setup = createTestAgent({
    clock,
    dialer: wrap(memoryDialer(master), clock),
    chance,
    onRevoked: (why) => void revoked.push(why),
  });
  await setup.agent.start();
  await clock.settle();
  return { clock, master, revoked, ...setup };
}

describe("an agent's connection", () => {
  it("dials again once in each window while the master is away, at one place of them, and begins anew after a success", async () => {
    const dials: number[] = [];
    let isAway = false;
    const { clock, master, lines } = await setUp((dialer, clock) => ({
      dial() {
        dials.push(clock.monotonic());
        return isAway ? Promise.reject(new Error("no route")) : dialer.dial();
      },
    }));
    isAway = true;
    master.link!.terminate();
    await clock.advance(8_100);
    // the middle of the first 500 ms, then of 5 s each
    expect(dials).toEqual([0, 250, 3000, 8000]);
    expect(lines.filter((l) => l.message.includes("no route")).length).toBe(1);
    isAway = false;
    await clock.advance(10_000);
    expect(master.connections).toBe(2);
    master.link!.terminate();
    await clock.advance(250);
    expect(master.connections).toBe(3);
  });

  it("spreads a thousand agents over the first half second, also at their very first return", async () => {
    const { clock, master } = await setUp(undefined, () => 0.9);
    master.link!.close(CLOSE.restart, "restart");
    await clock.advance(449);
    expect(master.connections).toBe(1);
    await clock.advance(1);
    expect(master.connections).toBe(2);
  });

  it("ends a connection on which nothing was heard for two ping periods", async () => {
    let ping = () => {};
    let ends = 0;
    const { clock, master } = await setUp((dialer) => ({
      async dial() {
        const link = await dialer.dial();
        // A peer whose answers to renewals are lost as well: only pings count.
        return {
          ...link,
          send: (text: string) => text.includes("lease.renew") ? undefined : link.send(text),
          onPing: (listen: () => void) => void (ping = listen),
          terminate: () => (ends++, link.terminate()),
          bufferedAmount: 0,
        };
      },
    }));
    await clock.advance(silenceMs(30) - 1000);
    ping();
    await clock.advance(silenceMs(30) - 1);
    expect(ends).toBe(0);
    await clock.advance(1);
    expect(ends).toBe(1);
    await clock.advance(500);
    expect(master.connections).toBe(2);
  });

  it("asks for signs of life more often when leases are short", () => {
    expect([silenceMs(30), silenceMs(10), silenceMs(3), silenceMs(1)]).toEqual([40_000, 40_000, 12_000, 4_000]);
  });

  it("dials at least once per lease while it holds work, however long the master is away", async () => {
    let isAway = false;
    const dials: number[] = [];
    const { clock, master, runs } = await setUp((dialer, clock) => ({
      dial() {
        dials.push(clock.monotonic());
        return isAway ? Promise.reject(new Error("no route")) : dialer.dial();
      },
    }), () => 0.999);
    master.send(dispatchOf("0197a6f0-0000-7000-8000-000000000001", { leaseSeconds: 3 }));
    await clock.settle();
    expect(runs.length).toBe(1);
    isAway = true;
    master.link!.terminate();
    await clock.advance(120_000);
    const gaps = dials.slice(1).map((at, i) => at - dials[i]!);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(3_000);
  });

  it("never dials again once it was revoked, and says so", async () => {
    const { clock, master, revoked } = await setUp();
    master.link!.close(CLOSE.revoked, "revoked");
    await clock.advance(10 * 60_000);
    expect(master.connections).toBe(1);
    expect(revoked).toEqual(["The master has revoked this agent; enrol it again with a new token."]);
  });

  it("leaves a process that took its place alone for a while", async () => {
    const { clock, master } = await setUp();
    master.link!.close(CLOSE.replaced, "replaced");
    await clock.advance(15_000);
    expect(master.connections).toBe(1);
    await clock.advance(30_000);
    expect(master.connections).toBe(2);
  });

  it("says no hello to another master than the one it enrolled with", async () => {
    const clock = createVirtualClock();
    const master = createFakeMaster({ masterId: "impostor" });
    const { agent } = createTestAgent({
      clock,
      dialer: memoryDialer(master),
      identity: { ...TRUSTED_IDENTITY, masterId: "master-1" },
    });
    await agent.start();
    await clock.advance(1000);
    expect(master.messages).toEqual([]);
    expect(agent.status().connected).toBe(false);
  });

  it("gives up on a master that accepts and then says nothing", async () => {
    const clock = createVirtualClock();
    let dials = 0;
    const { agent } = createTestAgent({
      clock,
      dialer: { dial: () => (dials++, Promise.resolve(createMemoryLinkPair()[0])) },
    });
    await agent.start();
    await clock.advance(11_000);
    expect(dials).toBe(2);
  });

  it("packs the messages of one turn into one frame, and none beyond the limit of the wire", async () => {
    const clock = createVirtualClock();
    const [near, far] = createMemoryLinkPair();
    const frames: string[] = [];
    far.onText((text) => void frames.push(text));
    const connection = createConnection({
      dialer: { dial: () => Promise.resolve(near as Link) },
      clock,
      chance: () => 0,
      logger: { log() {} },
      hello: () =>
        Promise.resolve({
          type: "agent.hello",
          protocol: { min: 1, max: 1 },
          agentId: "a",
          kind: "test",
          versions: {},
          slots: 1,
          facts: { hostname: "h", os: "linux", arch: "amd64", cpus: 1, memoryBytes: 1, bootId: "", modes: [] },
          resumes: [],
          signature: "",
        }),
      welcomed: () => {},
      received: () => {},
      disconnected: () => {},
      revoked: () => {},
      atStakeMs: () => undefined,
    });
    connection.start();
    await clock.settle();
    far.send(JSON.stringify({ type: "agent.challenge", nonce: "n", masterId: "m" }));
    await clock.settle();
    far.send(JSON.stringify({ type: "agent.welcome", sessionId: "s", protocol: 1, leaseSeconds: 30, resumes: [] }));
    await clock.settle();
    frames.length = 0;
    connection.send({ type: "slots.update", slots: 1 });
    connection.send({ type: "slots.update", slots: 2 });
    await clock.settle();
    expect(frames.map((frame) => JSON.parse(frame).length)).toEqual([2]);
    for (let i = 0; i < 40; i++) {
      connection.send({
        type: "log.chunk",
        taskId: "t",
        fence: 1,
        sequence: i,
        offset: 0,
        encoding: "utf8",
        data: "x".repeat(32_768),
      });
    }
    await clock.settle();
    expect(frames.slice(1).flatMap((frame) => JSON.parse(frame)).map((m) => m.sequence)).toEqual([...Array(40).keys()]);
    expect(Math.max(...frames.map((frame) => frame.length))).toBeLessThan(400 * 1024);
    await connection.stop(1000, "done");
    await connection.stop(1000, "done");
    expect(clock.waiting).toBe(0);
  });
});
