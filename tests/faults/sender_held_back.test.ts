/** An agent that sends faster than the database stores is held back by the network, and nothing is lost or closed. */
import { once } from "node:events";
import { expect, it } from "vitest";
import WebSocket from "ws";
import { listen } from "../../compose/http_server.ts";
import type { Link } from "../../domain/ports.ts";
import { createClock } from "../../host/clock.ts";
import { SUBPROTOCOL } from "../../protocol/agent_messages.ts";
import { createInflow } from "../../scheduler/inflow.ts";
import { eventually } from "../helpers/start_product.ts";

it("F23: is not read from while too much of it waits, answers for no silence meanwhile, and is read to the end after", async () => {
  const frame = "x".repeat(256 * 1024);
  const frames = 200;
  const inflow = createInflow();
  let link: Link | undefined;
  let heard = 0;
  let flow = inflow.open({});
  const listening = await listen({
    port: 0,
    host: "127.0.0.1",
    fetch: () => new Response(null, { status: 404 }),
    gateway: {
      accept(opened) {
        link = opened;
        flow = inflow.open(opened);
        opened.onText((text) => {
          heard += text.length;
          flow.take(text.length);
        });
      },
    },
    pingSeconds: 0.2,
    clock: createClock(),
    portVariable: "BOREAS_PORT",
  });
  const socket = new WebSocket(`ws://127.0.0.1:${listening.port}/api/v1/connect`, SUBPROTOCOL);
  await once(socket, "open");
  let closed = 0;
  socket.on("close", (code) => closed = code);
  for (let n = 0; n < frames; n++) socket.send(frame);
  await eventually(() => Promise.resolve(heard > 2 * 1024 * 1024), "so much was read");
  // Several ping periods in which its answers are not read either.
  const until = performance.now() + 2000;
  await eventually(() => Promise.resolve(performance.now() > until), "some time has passed");
  expect(heard).toBeLessThan(4 * 1024 * 1024);
  expect(socket.bufferedAmount).toBeGreaterThan(frame.length * frames / 2);
  expect(closed).toBe(0);
  // The database is there again.
  await eventually(() => {
    flow.done(flow.waiting);
    return Promise.resolve(heard === frame.length * frames);
  }, "all of it was read");
  expect(inflow.waiting).toBeLessThanOrEqual(frame.length);
  expect(closed).toBe(0);
  link!.close(1000, "done");
  await eventually(() => Promise.resolve(closed === 1000), "it ended as it should");
  await listening.close();
});
