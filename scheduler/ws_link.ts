/**
 * A `ws` socket as a link. Pings go out from this side: an agent behind NAT is kept open by them, and one that is silent
 * for two periods is gone, whatever the operating system still believes.
 */
import type { WebSocket } from "ws";
import type { Clock, Link, Timer } from "../domain/ports.ts";
import { PING_SECONDS, SILENT_PINGS } from "../protocol/agent_messages.ts";

/** After a standstill of this process an answer may have come that was not read yet. */
const LAST_LOOK_MS = 100;

export function createWsLink(socket: WebSocket, clock: Clock, pingSeconds: number = PING_SECONDS, peer?: string): Link {
  let unanswered = 0;
  let timer: Timer;
  const hear = () => unanswered = 0;
  const beat = () => {
    if (unanswered >= SILENT_PINGS - 1) {
      timer = clock.after(LAST_LOOK_MS, () => unanswered > 0 && !socket.isPaused ? socket.terminate() : ping());
    } else ping();
  };
  const ping = () => {
    // While nothing is read, an answer could not be heard.
    if (!socket.isPaused) unanswered++;
    socket.ping();
    timer = clock.after(pingSeconds * 1000, beat);
  };
  timer = clock.after(pingSeconds * 1000, beat);
  socket.on("pong", hear);
  socket.on("message", hear);
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
    peer,
    probe: (patienceMs) =>
      new Promise((resolve) => {
        const settle = (answers: boolean) => {
          patience.cancel();
          for (const [name, listen] of listeners) socket.off(name, listen);
          resolve(answers);
        };
        const [heard, gone] = [() => settle(true), () => settle(false)];
        const listeners = [["pong", heard], ["message", heard], ["close", gone]] as const;
        const patience = clock.after(patienceMs, gone);
        for (const [name, listen] of listeners) socket.once(name, listen);
        if (socket.readyState === socket.OPEN) socket.ping();
        else gone();
      }),
    pause: () => socket.pause(),
    resume() {
      hear(); // what was said meanwhile is read from here on
      socket.resume();
    },
    close(code, reason) {
      socket.resume(); // the peer's part of the handshake has to be read
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
