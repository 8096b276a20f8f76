/** The other end of the limit: text frames of one chunk each, a window of them on their way. */
import WebSocket from "ws";
import { LOG_CHUNK_BYTES, LOG_WINDOW_CHUNKS } from "../../protocol/agent_messages.ts";
import { answerCalls } from "../support/child.ts";
import { makeBlock, sharedNow } from "../support/log_lines.ts";

let socket: WebSocket;
let onAck = (_: number) => {};

await answerCalls({
  connect: ({ port }: { port: number }) =>
    new Promise<void>((resolve, reject) => {
      socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
      socket.once("open", () => resolve());
      socket.once("error", reject);
      socket.on("message", (data) => onAck((JSON.parse(data.toString()) as { offset: number }).offset));
    }),
  print({ bytes }: { bytes: number }) {
    const block = makeBlock(2 * LOG_CHUNK_BYTES);
    const decoder = new TextDecoder();
    let sequence = 0;
    let sent = 0;
    let acknowledged = 0;
    const send = () => {
      while (sent < bytes && sent - acknowledged < LOG_WINDOW_CHUNKS * LOG_CHUNK_BYTES) {
        const from = sent % LOG_CHUNK_BYTES;
        const piece = block.subarray(from, from + Math.min(LOG_CHUNK_BYTES, bytes - sent));
        socket.send(JSON.stringify({
          type: "log.chunk",
          sequence: sequence++,
          offset: sent,
          encoding: "utf8",
          data: decoder.decode(piece),
        }));
        sent += piece.length;
      }
    };
    onAck = (offset) => {
      acknowledged = offset;
      send();
    };
    send();
    return sharedNow();
  },
  close: () => socket?.terminate(),
});
