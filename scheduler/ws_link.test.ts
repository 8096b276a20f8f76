import { EventEmitter } from "node:events";
import type { WebSocket } from "ws";
import { describe, expect, it } from "vitest";
import { createVirtualClock } from "../tests/helpers/virtual_clock.ts";
import { createWsLink } from "./ws_link.ts";

function setUp(pingSeconds?: number) {
  const clock = createVirtualClock();
  let pings = 0;
  let endedAt: number | undefined;
  const socket = Object.assign(new EventEmitter(), {
    ping: () => void pings++,
    terminate() {
      endedAt ??= clock.monotonic();
      socket.emit("close", 1006, "");
    },
  });
  createWsLink(socket as unknown as WebSocket, clock, pingSeconds);
  return { clock, socket, pings: () => pings, endedAt: () => endedAt };
}

describe("the master's end of a connection", () => {
  it("is kept while pings are answered, or anything at all is heard", async () => {
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

  it("reads what came during a standstill of its own before it gives the other end up", async () => {
    const { clock, socket, endedAt } = setUp();
    await clock.advance(40_050);
    socket.emit("pong");
    await clock.advance(15_000);
    expect(endedAt()).toBeUndefined();
  });
});
