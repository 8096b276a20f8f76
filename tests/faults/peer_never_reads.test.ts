/** An agent that asks and does not read the answers: what waits for it is bounded, and it is let go. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, expect, it } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import type { Link, LogLevel } from "../../domain/ports.ts";
import { createClock } from "../../host/clock.ts";
import { PROTOCOL } from "../../protocol/agent_messages.ts";
import { createWsLink } from "../../scheduler/ws_link.ts";
import { seedWorld } from "../helpers/seed_release.ts";
import { eventually } from "../helpers/start_product.ts";
import { startScheduler } from "../helpers/start_scheduler.ts";
import { TEST_FACTS } from "../helpers/test_agent.ts";
import { createTestDatabase } from "../helpers/test_database.ts";

const KIB = 1024;
const cleanups: (() => unknown)[] = [];
afterAll(async () => {
  for (const clean of cleanups.reverse()) await clean();
});

/** A real socket whose master's end is a link with low limits. */
async function connect(pingSeconds: number, limits: { hold: number; end: number }, accept: (link: Link) => void) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  cleanups.push(() => new Promise((done) => server.close(done)));
  await once(server, "listening");
  server.on("connection", (socket) => accept(createWsLink(socket, createClock(), pingSeconds, undefined, limits)));
  const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  cleanups.push(() => socket.terminate());
  socket.on("error", () => {}); // `close` follows
  return socket;
}

it("F23: an agent that sends and never reads is held back, then let go, and the log names it", async () => {
  const db = await createTestDatabase();
  const world = await seedWorld(db, { applications: {} });
  const agentId = await world.agent("deaf");
  const said: { level: LogLevel; message: string; context: Record<string, unknown> | undefined }[] = [];
  const started = await startScheduler(db, {
    logger: { log: (level, message, context) => void said.push({ level, message, context }) },
  });
  cleanups.push(() => started.stop());
  const limits = { hold: 256 * KIB, end: 64 * KIB * KIB };
  let most = 0;
  const socket = await connect(1, limits, (link) => {
    const send = link.send;
    link.send = (text) => {
      send(text);
      most = Math.max(most, link.bufferedAmount);
    };
    started.scheduler.gateway.accept(link, agentId);
  });
  socket.once("message", () => {
    const facts = TEST_FACTS;
    const hello = { type: "agent.hello", protocol: PROTOCOL, agentId, kind: "mock", slots: 1, facts };
    socket.send(JSON.stringify({ ...hello, resumes: [], signature: "" }));
    socket.once("message", () => socket.pause());
  });
  await eventually(() => Promise.resolve(socket.isPaused), "the agent was welcomed");
  // Each is answered with all of them as lost.
  const leases = Array.from({ length: 500 }, () => ({ taskId: db.newId(), fence: 1 }));
  const question = JSON.stringify({ type: "lease.renew", leases });
  const flood = setInterval(() => {
    for (let n = 0; n < 10 && socket.bufferedAmount < KIB * KIB; n++) socket.send(question);
  }, 5);
  cleanups.push(() => clearInterval(flood));
  const gone = await eventually(
    () => Promise.resolve(said.find(({ message }) => message === "agent disconnected")),
    "the agent was let go",
  );
  clearInterval(flood);
  expect(gone.level).toBe("WARN");
  expect(gone.context).toMatchObject({ agent: "deaf", code: 1006 });
  expect(gone.context!.reason).toMatch(/^it has read nothing for [\d.]+ seconds$/);
  // What was read before it was held is answered still, and no more comes in.
  expect(most).toBeGreaterThan(limits.hold);
  expect(most).toBeLessThan(limits.hold + 8 * KIB * KIB);
});

it("F23: a peer that reads slowly is held back and kept, and gets every answer", async () => {
  const answer = "x".repeat(64 * KIB);
  const asked = 400;
  let held = 0;
  let link: Link | undefined;
  const socket = await connect(20, { hold: 256 * KIB, end: 64 * KIB * KIB }, (opened) => {
    link = opened;
    opened.onText(() => {
      opened.send(answer);
      if (opened.bufferedAmount > 256 * KIB) held++;
    });
  });
  let [got, closed] = [0, false];
  socket.on("close", () => closed = true);
  // It reads a little, turns away for a moment, and comes back.
  socket.on("message", () => {
    if (++got % 50 > 0) return;
    socket.pause();
    setTimeout(() => socket.resume(), 20);
  });
  await once(socket, "open");
  socket.pause();
  for (let n = 0; n < asked; n++) socket.send("?".repeat(16 * KIB));
  await eventually(() => Promise.resolve(held > 0), "so much waits that nothing more is read from it");
  socket.resume();
  await eventually(() => Promise.resolve(got === asked), "every question was answered");
  expect(closed).toBe(false);
  expect(link!.bufferedAmount).toBe(0);
});
