/**
 * The listening sockets: the app over node:http, and the gateway by upgrade of `/api/v1/connect`. `ws` on node:http,
 * because it bounds frames, answers malformed ones with the right codes and can end a peer that stopped reading.
 */
import { createServer as createPlain } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import { createServer as createSecure } from "node:https";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { WebSocketServer } from "ws";
import type { Clock } from "../domain/ports.ts";
import { MAX_FRAME_BYTES, SUBPROTOCOL } from "../protocol/agent_messages.ts";
import type { Gateway } from "../scheduler/agent_gateway.ts";
import { createOutflow } from "../scheduler/outflow.ts";
import { createWsLink } from "../scheduler/ws_link.ts";

export interface ListenOptions {
  port: number;
  host: string;
  tls?: { cert: string; key: string } | undefined;
  // deno-lint-ignore no-explicit-any -- the app's own type parameters do not matter to a listener
  fetch: (request: Request, env: any) => Response | Promise<Response>;
  gateway?: Gateway;
  /** Between pings of an agent's socket. */
  pingSeconds?: number;
  clock: Clock;
  /** Which variable names the port, for the sentence when it is taken. */
  portVariable: string;
}
export interface Listening {
  port: number;
  /** Takes nothing new and ends what is open. */
  close(): Promise<void>;
}

/** Connections that wait to be taken: thousands of agents come back within seconds, and one that is dropped waits long. */
const BACKLOG = 4096;
const CONNECT_PATH = "/api/v1/connect";

export async function listen(options: ListenOptions): Promise<Listening> {
  const listener = getRequestListener(options.fetch, { overrideGlobalObjects: false });
  const timeouts = { headersTimeout: 15_000, requestTimeout: 120_000, keepAliveTimeout: 65_000 };
  const server: Server = options.tls
    ? createSecure({ ...options.tls, ...timeouts }, listener) as unknown as Server
    : createPlain(timeouts, listener);
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  const { clock, pingSeconds } = options;
  const outflow = createOutflow(clock);
  server.on("upgrade", (request, socket, head) => {
    const refusal = refuseUpgrade(request, options.gateway);
    if (refusal) return answerUpgrade(socket, refusal);
    sockets.handleUpgrade(
      request,
      socket,
      head,
      (ws) =>
        options.gateway!.accept(createWsLink(ws, { clock, outflow, pingSeconds, peer: request.socket.remoteAddress })),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: Error & { code?: string }) => {
      const taken = error.code === "EADDRINUSE";
      const said =
        `Port ${options.port} is taken by another process. Stop it, or set ${options.portVariable} to a free port.`;
      reject(taken ? new Error(said, { cause: error }) : error);
    });
    server.listen({ port: options.port, host: options.host, backlog: BACKLOG }, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        for (const ws of sockets.clients) ws.close(1012, "the master is stopping");
        server.close(() => resolve());
        server.closeIdleConnections();
        // What is still open after a moment is a stream that nobody ended: it ends now.
        options.clock.after(1000, () => {
          for (const ws of sockets.clients) ws.terminate();
          server.closeAllConnections();
        });
      }),
  };
}

/** Agents are no browsers: any Origin is refused, whatever it says. */
function refuseUpgrade(request: IncomingMessage, gateway: Gateway | undefined): string | undefined {
  const path = (request.url ?? "").split("?")[0];
  if (path !== CONNECT_PATH || !gateway) return "404 Not Found";
  if (request.headers.origin !== undefined) return "403 Forbidden";
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((p) => p.trim());
  return offered.includes(SUBPROTOCOL) ? undefined : "400 Bad Request";
}

function answerUpgrade(socket: Duplex, status: string): void {
  socket.on("error", () => socket.destroy()); // the peer left before it heard the answer
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
