/** The agent's socket: WebSocket over `openMasterSocket`, with the limits of the wire. */
import WebSocket from "ws";
import type { Dialer, Link } from "../domain/ports.ts";
import { type MasterAddress, openMasterSocket } from "./master_socket.ts";

const HANDSHAKE_MS = 10_000;

export interface DialOptions {
  /** `protocol/agent_messages.ts`: SUBPROTOCOL and MAX_FRAME_BYTES. */
  subprotocol: string;
  maxFrameBytes: number;
}

export function createDialer(address: MasterAddress, options: DialOptions): Dialer {
  const url = new URL(address.url);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.pathname = `${url.pathname.replace(/\/$/, "")}/api/v1/connect`;
  return {
    async dial() {
      const stream = await openMasterSocket(address);
      const socket = new WebSocket(url, options.subprotocol, {
        createConnection: () => stream,
        maxPayload: options.maxFrameBytes,
        handshakeTimeout: HANDSHAKE_MS,
        perMessageDeflate: false,
      });
      const link = createSocketLink(socket);
      return await new Promise((resolve, reject) => {
        socket.once("open", () => resolve(link));
        socket.once("unexpected-response", (_request, response) => {
          stream.destroy();
          reject(new Error(`the master answered HTTP ${response.statusCode} instead of a socket`));
        });
        socket.once("error", reject);
      });
    },
  };
}

/** A `ws` socket of either end as a Link. Call it before the first frame can arrive. */
export function createSocketLink(socket: WebSocket): Link {
  const early: string[] = [];
  let onText: ((text: string) => void) | undefined;
  let onClose: ((code: number, reason: string) => void) | undefined;
  let ended: { code: number; reason: string } | undefined;
  socket.on("message", (data, isBinary) => {
    if (isBinary) return socket.close(1003, "text only");
    const text = data.toString();
    if (onText) onText(text);
    else early.push(text);
  });
  socket.on("close", (code, reason) => {
    ended = { code, reason: reason.toString() };
    onClose?.(ended.code, ended.reason);
  });
  socket.on("error", () => {}); // `close` follows with the code
  return {
    send: (text) => socket.readyState === WebSocket.OPEN ? socket.send(text) : undefined,
    onText(listen) {
      onText = listen;
      for (const text of early.splice(0)) listen(text);
    },
    onClose(listen) {
      onClose = listen;
      if (ended) listen(ended.code, ended.reason);
    },
    onPing: (listen) => void socket.on("ping", listen),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
  };
}
