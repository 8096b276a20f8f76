import { EventEmitter } from "node:events";
import type { WebSocket } from "ws";
import { describe, expect, it } from "vitest";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createOutflow } from "./outflow.ts";
import { createWsLink } from "./ws_link.ts";

function setUp(pingSeconds?: number, clock = createVirtualClock(), outflow = createOutflow(clock)) {
  let pings = 0;
  let endedAt: number | undefined;
  let left: (() => void) | undefined;
  const socket = Object.assign(new EventEmitter(), {
    OPEN: 1,
    readyState: 1,
    isPaused: false,
    bufferedAmount: 0,
    pause: () => void (socket.isPaused = true),
    resume: () => void (socket.isPaused = false),
    send(text: string, then: () => void) {
      socket.bufferedAmount += text.length;
      left = then;
    },
    ping: () => void pings++,
    terminate() {
      endedAt ??= clock.monotonic();
      socket.emit("close", 1006, "");
    },
  });
  const limits = { hold: 100, end: 400 };
  const link = createWsLink(socket as unknown as WebSocket, { clock, outflow, pingSeconds, limits });
  let reason: string | undefined;
  link.onClose((_code, why) => reason = why);
  /** The peer reads until so much is left. */
  const leave = (bytes: number) => {
    socket.bufferedAmount = bytes;
    left!();
  };
  return { clock, socket, link, leave, pings: () => pings, endedAt: () => endedAt, reason: () => reason };
}

describe("the master's end of a connection", () => {
  it("is kept while its pings are answered, though one of them late and with messages before", async () => {
    const { clock, socket, pings, endedAt } = setUp();
    for (let n = 0; n < 10; n++) {
      await clock.advance(20_000);
      socket.emit(n % 2 === 0 ? "pong" : "message", new Uint8Array(), false);
    }
    expect(pings()).toBe(10);
    expect(endedAt()).toBeUndefined();
  });

  it("ends when nothing was heard for two ping periods, sooner with short ones, and then stops its clock", async () => {
    for (const [pingSeconds, expected] of [[undefined, 40_100], [2, 4_100]] as const) {
      const { clock, endedAt } = setUp(pingSeconds);
      await clock.advance(120_000);
      expect(endedAt()).toBe(expected);
      expect(clock.waiting).toBe(0);
    }
  });

  it("pings on ticks that all connections share, each on its own of them", async () => {
    const clock = createVirtualClock();
    const openedAt = [0, 30, 40, 5_220, 5_270];
    const ends: ReturnType<typeof setUp>[] = [];
    for (const at of openedAt) {
      await clock.advance(at - clock.monotonic());
      ends.push(setUp(undefined, clock));
    }
    const pingedAt = () => ends.map(({ pings }) => pings());
    for (const instant of [20_000, 25_200, 25_300, 40_000, 45_200, 45_300]) {
      await clock.advance(instant - 1 - clock.monotonic());
      const before = pingedAt();
      await clock.advance(1);
      const on = pingedAt().flatMap((n, end) => n > before[end]! ? [openedAt[end]] : []);
      expect(on, `after ${instant} ms`).toEqual({ 0: [0, 30, 40], 5_200: [5_220], 5_300: [5_270] }[instant % 20_000]);
      for (const { socket } of ends) socket.emit("pong");
    }
  });

  it("reads what came during a standstill of its own before it gives the other end up", async () => {
    const { clock, socket, endedAt } = setUp();
    await clock.advance(40_050);
    socket.emit("pong");
    await clock.advance(15_000);
    expect(endedAt()).toBeUndefined();
  });
});

describe("a peer that does not read what it is sent", () => {
  it("is not read from while too much waits, until half of that has left", () => {
    const { socket, link, leave } = setUp();
    link.send("x".repeat(100));
    expect(socket.isPaused).toBe(false);
    link.send("x");
    expect(socket.isPaused).toBe(true);
    leave(51);
    expect(socket.isPaused).toBe(true);
    leave(50);
    expect(socket.isPaused).toBe(false);
  });

  it("stays held while either cause lasts: it does not read, or what it sent is not handled", () => {
    for (const readsFirst of [true, false]) {
      const { socket, link, leave } = setUp();
      link.send("x".repeat(101));
      link.pause!();
      const ends = [() => leave(0), () => link.resume!()];
      for (const [n, end] of (readsFirst ? ends : ends.reverse()).entries()) {
        end();
        expect(socket.isPaused).toBe(n === 0);
      }
    }
  });

  it("is given up after two ping periods without a byte, held or not, whatever it says meanwhile", async () => {
    for (const bytes of [101, 10]) {
      const { clock, socket, link, endedAt, reason } = setUp();
      link.send("x".repeat(bytes));
      for (let n = 0; n < 10 && endedAt() === undefined; n++) {
        await clock.advance(10_000);
        socket.emit("message", new Uint8Array(), false);
      }
      expect(endedAt()).toBe(40_000);
      expect(reason()).toMatch(/^it has read nothing for 40 seconds; /);
      expect(clock.waiting).toBe(0);
    }
  });

  it("is given up though the system takes all it is sent, when it answers no ping of two periods", async () => {
    const { clock, socket, link, leave, endedAt, reason } = setUp();
    for (let n = 0; n < 20 && endedAt() === undefined; n++) {
      await clock.advance(5_000);
      socket.emit("message", new Uint8Array(), false);
      link.send("x");
      leave(0);
    }
    expect(endedAt()).toBe(60_000);
    expect(reason()).toMatch(/^it has read nothing for 40 seconds; /);
  });

  it("is not taken for one when it is held back itself, so that its answers cannot be heard", async () => {
    const { clock, link, endedAt } = setUp();
    await clock.advance(20_000);
    for (const heldFor of [19_000, 19_000, 19_000, 59_000, 59_000]) {
      link.pause!();
      await clock.advance(heldFor);
      link.resume!();
      await clock.advance(1_000);
    }
    expect(endedAt()).toBeUndefined();
  });

  it("is kept as long as it reads, however slowly, and though nobody hears it while it is held", async () => {
    const { clock, socket, link, leave, endedAt } = setUp();
    link.send("x".repeat(120));
    for (let waiting = 119; waiting > 50; waiting--) {
      await clock.advance(30_000);
      expect(socket.isPaused).toBe(true);
      leave(waiting);
    }
    leave(50);
    expect([socket.isPaused, endedAt()]).toEqual([false, undefined]);
  });

  it("is given up with more than the hard limit waiting, unless that is one burst", async () => {
    const { clock, link, leave, endedAt, reason } = setUp();
    link.send("x".repeat(1000));
    link.send("x".repeat(1000));
    leave(10);
    expect(endedAt()).toBeUndefined();
    link.send("x".repeat(200));
    await clock.advance(1000);
    link.send("x");
    expect(endedAt()).toBeUndefined();
    link.send("x".repeat(200));
    expect(endedAt()).toBe(1000);
    expect(reason()).toBe("411 bytes wait that it does not read");
  });
});
