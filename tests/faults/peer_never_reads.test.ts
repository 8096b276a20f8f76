/** Agents that ask and do not read the answers: what waits for one, and for all, is bounded, and they are let go. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterAll, expect, it } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { listen } from "../../compose/http_server.ts";
import type { Link, LogLevel } from "../../domain/ports.ts";
import { createClock } from "../../host/clock.ts";
import { PROTOCOL, SUBPROTOCOL } from "../../protocol/agent_messages.ts";
import { createOutflow } from "../../scheduler/outflow.ts";
import { createWsLink } from "../../scheduler/ws_link.ts";
import type { WsLinkOptions } from "../../scheduler/ws_link.ts";
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

const clock = createClock();

/** A real socket whose master's end is a link with low limits. */
async function connect(options: Omit<WsLinkOptions, "clock" | "outflow">, accept: (link: Link) => void) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  cleanups.push(() => new Promise((done) => server.close(done)));
  await once(server, "listening");
  server.on(
    "connection",
    (socket) => accept(createWsLink(socket, { ...options, clock, outflow: createOutflow(clock) })),
  );
  const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  cleanups.push(() => socket.terminate());
  socket.on("error", () => {}); // `close` follows
  return socket;
}

/** An agent that was let in and never reads again, and what the master's log says of its end. */
async function connectDeaf(options: Omit<WsLinkOptions, "clock" | "outflow">, watch: (link: Link) => void = () => {}) {
  const db = await createTestDatabase();
  const world = await seedWorld(db, { applications: {} });
  const agentId = await world.agent("deaf");
  const said: { level: LogLevel; message: string; context: Record<string, unknown> | undefined }[] = [];
  const started = await startScheduler(db, {
    logger: { log: (level, message, context) => void said.push({ level, message, context }) },
  });
  cleanups.push(() => started.stop());
  const socket = await connect(options, (link) => {
    watch(link);
    started.scheduler.gateway.accept(link, agentId);
  });
  socket.once("message", () => {
    const facts = TEST_FACTS;
    const hello = { type: "agent.hello", protocol: PROTOCOL, agentId, kind: "mock", slots: 1, facts };
    socket.send(JSON.stringify({ ...hello, resumes: [], signature: "" }));
    socket.once("message", () => socket.pause());
  });
  await eventually(() => Promise.resolve(socket.isPaused), "the agent was welcomed");
  const isGone = () =>
    eventually(
      () => Promise.resolve(said.find(({ message }) => message === "agent disconnected")),
      "the agent was let go",
    );
  return { db, socket, isGone };
}

it("F23: an agent that sends and never reads is held back, then let go, and the log names it", async () => {
  const limits = { hold: 256 * KIB, end: 64 * KIB * KIB };
  let most = 0;
  const { db, socket, isGone } = await connectDeaf({ pingSeconds: 1, limits }, (link) => {
    const send = link.send;
    link.send = (text) => {
      send(text);
      most = Math.max(most, link.bufferedAmount);
    };
  });
  // Each is answered with all of them as lost.
  const leases = Array.from({ length: 500 }, () => ({ taskId: db.newId(), fence: 1 }));
  const question = JSON.stringify({ type: "lease.renew", leases });
  const flood = setInterval(() => {
    for (let n = 0; n < 10 && socket.bufferedAmount < KIB * KIB; n++) socket.send(question);
  }, 5);
  cleanups.push(() => clearInterval(flood));
  const gone = await isGone();
  clearInterval(flood);
  expect(gone.level).toBe("WARN");
  expect(gone.context).toMatchObject({ agent: "deaf", code: 1006 });
  expect(gone.context!.reason).toMatch(/^it has read nothing for [\d.]+ seconds; /);
  // What was read before it was held is answered still, and no more comes in.
  expect(most).toBeGreaterThan(limits.hold);
  expect(most).toBeLessThan(limits.hold + 8 * KIB * KIB);
});

it("F23: an agent that never reads is let go also when its few words and their answers fill no buffer", async () => {
  let waited = 0;
  let master: Link | undefined;
  const { db, socket, isGone } = await connectDeaf({ pingSeconds: 1 }, (link) => master = link);
  const question = JSON.stringify({ type: "lease.renew", leases: [{ taskId: db.newId(), fence: 1 }] });
  const talk = setInterval(() => {
    socket.send(question);
    waited = Math.max(waited, master!.bufferedAmount);
  }, 20);
  cleanups.push(() => clearInterval(talk));
  const gone = await isGone();
  clearInterval(talk);
  expect(gone.context!.reason).toMatch(/^it has read nothing for 2 seconds; /);
  expect(waited).toBeLessThan(64 * KIB);
});

it("F23: what waits for all agents together is bounded: whoever reads nothing goes first, who reads stays", async () => {
  const accepted: Link[] = [];
  const listening = await listen({
    port: 0,
    host: "127.0.0.1",
    fetch: () => new Response(null, { status: 404 }),
    gateway: { accept: (link) => void accepted.push(link) },
    clock,
    portVariable: "BOREAS_PORT",
  });
  cleanups.push(() => listening.close());
  const open = async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${listening.port}/api/v1/connect`, SUBPROTOCOL);
    cleanups.push(() => socket.terminate());
    socket.on("error", () => {}); // `close` follows
    await once(socket, "open");
    const link = accepted.pop()!;
    const end = { socket, link, reason: undefined as string | undefined };
    link.onClose((_code, reason) => end.reason = reason);
    return end;
  };
  const [reader, most] = [await open(), await open()];
  const others = [await open(), await open(), await open(), await open()];
  let [asked, heard] = [0, 0];
  reader.socket.on("message", () => heard++);
  for (const { socket } of [...others, most]) socket.pause();
  const frame = "x".repeat(256 * KIB);
  const fill = (link: Link, mib: number) => {
    for (let left = mib * KIB * KIB - link.bufferedAmount; left > 0; left -= frame.length) link.send(frame);
  };
  // Together 66 MiB, and none of them as much as one alone may have.
  await eventually(() => {
    reader.link.send("?");
    asked++;
    if (most.reason !== undefined) return Promise.resolve(true);
    for (const { link } of others) fill(link, 13);
    fill(most.link, 14);
    return Promise.resolve(false);
  }, "somebody was let go");
  expect(most.reason).toMatch(
    /^6\d\.\d MiB wait for all agents, 1[34]\.\d MiB of it for this one, and nothing of it leaves; /,
  );
  await eventually(() => Promise.resolve(heard === asked), "who reads was told everything");
  expect([reader, ...others].map(({ reason }) => reason)).toEqual(Array(5).fill(undefined));
});

it("F23: a peer that reads slowly is held back and kept, and gets every answer", async () => {
  const answer = "x".repeat(64 * KIB);
  const asked = 400;
  let held = 0;
  let link: Link | undefined;
  const limits = { hold: 256 * KIB, end: 64 * KIB * KIB };
  const socket = await connect({ limits }, (opened) => {
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
