/** A connection that changes its protocol, such as a WebSocket: the head goes over, and from there bytes both ways. */
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { passedOn, withForwarded } from "./headers.ts";
import type { Lane } from "./forward.ts";

export function tunnel(request: IncomingMessage, client: Duplex, head: Uint8Array, lane: Lane): void {
  const backend = lane.choose();
  const refuse = (status: string, sentence: string) =>
    client.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n${sentence}\n`);
  client.on("error", () => client.destroy());
  if (!backend) return void refuse("404 Not Found", "No application here answers to this host.");
  const leave = lane.traffic.enter(backend);
  client.on("close", leave);
  const upstream = connect({ host: backend.host, port: backend.port });
  let isConnected = false;
  upstream.on("connect", () => {
    isConnected = true;
    upstream.setNoDelay(true);
    (client as Socket).setNoDelay?.(true);
    upstream.write(headOf(request));
    if (head.length > 0) upstream.write(head);
    client.pipe(upstream);
    upstream.pipe(client);
  });
  upstream.on("error", () => {
    if (isConnected) client.destroy();
    else refuse("502 Bad Gateway", "The application does not answer.");
  });
  upstream.on("close", () => {
    if (!isConnected) return;
    leave();
    client.end(() => client.destroy()); // what is on its way arrives first
  });
  client.on("close", () => upstream.destroy());
}

function headOf(request: IncomingMessage): string {
  const address = (request.socket as Socket).remoteAddress ?? "";
  const headers = withForwarded(passedOn(request.rawHeaders), { address, host: request.headers.host });
  const lines = [
    ...Object.entries({ ...headers, Connection: "Upgrade", Upgrade: request.headers.upgrade ?? "" }).flatMap(
      ([name, value]) => [value].flat().map((one) => `${name}: ${one}`),
    ),
  ];
  return `${request.method} ${request.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}
