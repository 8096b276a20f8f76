/**
 * A `ws` socket as a link. Pings go out from this side: an agent behind NAT is kept open by them, and one that does not
 * answer twice is gone, whatever the operating system still believes.
 */
import type { WebSocket } from "ws";
import type { Clock, Link, Timer } from "../domain/ports.ts";
import { PING_SECONDS } from "../protocol/agent_messages.ts";

export function createWsLink(socket: WebSocket, clock: Clock): Link {
  let unanswered = 0;
  let timer: Timer;
  const beat = () => {
    if (unanswered >= 2) return socket.terminate();
    unanswered++;
    socket.ping();
    timer = clock.after(PING_SECONDS * 1000, beat);
  };
  timer = clock.after(PING_SECONDS * 1000, beat);
  socket.on("pong", () => unanswered = 0);
  socket.on("message", () => unanswered = 0);
  socket.on("close", () => timer.cancel());
  // `close` follows every error and carries the code; without a listener an error would end the process.
  socket.on("error", () => timer.cancel());
  return {
    send: (text) => socket.readyState === socket.OPEN ? socket.send(text) : undefined,
    onText: (listen) =>
      void socket.on("message", (data, isBinary) => {
        if (isBinary) return socket.close(1003, "text frames only");
        listen(data.toString());
      }),
    onClose: (listen) => void socket.once("close", (code, reason) => listen(code, reason.toString())),
    close(code, reason) {
      socket.close(code, reason);
      // A peer that does not finish the closing handshake is let go.
      const last = clock.after(3000, () => socket.terminate());
      socket.once("close", () => last.cancel());
    },
    terminate: () => socket.terminate(),
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
  };
}
