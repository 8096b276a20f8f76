/** HTTP as an attacker writes it: bytes on a socket, to this machine only. */
import { connect } from "node:net";
import type { Socket } from "node:net";

export interface RawAnswer {
  /** 0 when the connection ended without an answer. */
  status: number;
  text: string;
  /** Milliseconds from opening until the answer's head was there. */
  afterMs: number;
}

export interface RawRequest {
  /** Request line and headers, without the empty line. */
  head: string[];
  /** Written one after the other, each when the one before was taken. */
  body?: Iterable<Uint8Array | string>;
}

/** Sends until there is an answer, and hangs up then. */
export function sendRaw(port: number, request: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const began = performance.now();
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const done = () => {
      socket.destroy();
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
      resolve({ status, text, afterMs: performance.now() - began });
    };
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (text.includes("\r\n\r\n")) done();
    });
    socket.on("error", done); // the server hung up while we still wrote
    socket.on("close", done);
    socket.on("connect", () => {
      socket.write([...request.head, "", ""].join("\r\n"));
      void writeAll(socket, request.body ?? []);
    });
  });
}

async function writeAll(socket: Socket, parts: Iterable<Uint8Array | string>): Promise<void> {
  for (const part of parts) {
    if (socket.destroyed) return;
    if (!socket.write(part)) {
      await new Promise<void>((resolve) => {
        const go = () => {
          socket.off("drain", go);
          socket.off("close", go);
          resolve();
        };
        socket.on("drain", go);
        socket.on("close", go);
      });
    }
  }
}

export function post(path: string, headers: Record<string, string | number>): string[] {
  return [
    `POST ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
}

/** The pieces of a chunked body, without the one that ends it. */
export function* chunked(piece: Uint8Array, pieces: number): Iterable<Uint8Array | string> {
  for (let n = 0; n < pieces; n++) {
    yield `${piece.length.toString(16)}\r\n`;
    yield piece;
    yield "\r\n";
  }
}
