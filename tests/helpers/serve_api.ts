/** The API behind a real HTTP server, for what only shows over a socket: streams, slow readers, cut connections. */
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { afterAll } from "vitest";
import type { TestApi } from "./test_api.ts";

export interface ServedApi {
  url: string;
  /** Sockets that are open now. */
  sockets: Set<Socket>;
  /** GET below /api/v1, as a viewer unless said otherwise. */
  get(path: string, options?: { headers?: Record<string, string>; signal?: AbortSignal }): Promise<Response>;
  post(path: string, body: unknown, token?: string): Promise<Response>;
}

export async function serveApi(api: TestApi): Promise<ServedApi> {
  const server = createServer(getRequestListener(api.app.fetch, { overrideGlobalObjects: false }));
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterAll(() =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    })
  );
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`;
  return {
    url,
    sockets,
    get: (path, { headers, signal } = {}) =>
      fetch(`${url}${path}`, { headers: { authorization: `Bearer ${api.tokens.viewer}`, ...headers }, signal }),
    post: (path, body, token = api.tokens.viewer) =>
      fetch(`${url}${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
  };
}

export interface Frame {
  event: string;
  id: string | undefined;
  // deno-lint-ignore no-explicit-any -- a test reads whatever it expects
  data: any;
}

/** Frames of an event stream as they come; a cut one is dropped. Ends the connection when the loop is left. */
export async function* readFrames(response: Response): AsyncGenerator<Frame> {
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop()!;
      for (const block of blocks) {
        const fields = new Map(
          block.split("\n").filter((l) => !l.startsWith(":")).map((line) => {
            const colon = line.indexOf(": ");
            return [line.slice(0, colon), line.slice(colon + 2)] as const;
          }),
        );
        if (!fields.has("data")) continue;
        yield { event: fields.get("event") ?? "message", id: fields.get("id"), data: JSON.parse(fields.get("data")!) };
      }
    }
  } finally {
    await reader.cancel();
  }
}

export const bytesOf = ({ encoding, data }: { encoding: string; data: string }): Uint8Array =>
  encoding === "utf8" ? new TextEncoder().encode(data) : Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
