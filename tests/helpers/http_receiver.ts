/** A server of one's own that keeps what it is sent, and answers what a test wants. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Buffer } from "node:buffer";
import { onTestFinished } from "vitest";

export interface Received {
  path: string;
  headers: Record<string, string>;
  body: string;
}
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
}
export interface Receiver {
  url: string;
  received: Received[];
  /** Called for each request, in order; 200 with nothing unless told. */
  answer: (request: Received) => Answer | Promise<Answer>;
}

export async function startReceiver(): Promise<Receiver> {
  const receiver: Receiver = { url: "", received: [], answer: () => ({}) };
  const server = createServer(async (request, response) => {
    const parts: Uint8Array[] = [];
    for await (const part of request) parts.push(part as Uint8Array);
    const one: Received = {
      path: request.url ?? "/",
      headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
      body: Buffer.concat(parts).toString("utf8"),
    };
    receiver.received.push(one);
    const { status = 200, headers = {}, body = "" } = await receiver.answer(one);
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
  return receiver;
}
