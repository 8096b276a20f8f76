/**
 * A `ws` socket as a link. Pings go out from this side: an agent behind NAT is kept open by them, and one that is silent
 * for two periods is gone, whatever the operating system still believes.
 *
 * Whoever asks has to read the answers, or they would fill this process's memory:
 *
 *   read --more than 4 MiB wait to leave--> held: nothing more is read from the peer --half of it has left--> read
 *     '------------- nothing leaves for two ping periods, or 16 MiB wait for a while --> ended, with a reason
 */
import type { WebSocket } from "ws";
import type { Clock, Link, Timer } from "../domain/ports.ts";
import { PING_SECONDS, SILENT_PINGS } from "../protocol/agent_messages.ts";

/** After a standstill of this process an answer may have come that was not read yet. */
const LAST_LOOK_MS = 100;

/** Bytes that wait to leave. */
export interface OutgoingLimits {
  /** While more than this waits, nothing more is read from the peer. */
  hold: number;
  /** With more than this the peer is given up. */
  end: number;
}
const LIMITS: OutgoingLimits = { hold: 4 * 1024 * 1024, end: 16 * 1024 * 1024 };
/** Tasks for many slots may come in one burst: a peer that reads has this long to make it smaller. */
const BURST_MS = 1000;

export function createWsLink(
  socket: WebSocket,
  clock: Clock,
  pingSeconds: number = PING_SECONDS,
  peer?: string,
  limits = LIMITS,
): Link {
  let unanswered = 0;
  let timer: Timer;
  /** Ping periods in a row in which something waited and nothing left. */
  let stuck = 0;
  let hasLeft = false;
  /** Since when nothing is read from the peer because it does not read itself. */
  let heldSince: number | undefined;
  /** Whoever handles what is read does not want more just now. */
  let isFull = false;
  let gaveUp: string | undefined;

  const hear = () => unanswered = 0;
  const giveUp = (why: string) => {
    gaveUp ??= why;
    socket.terminate();
  };
  const weigh = () => {
    const waiting = socket.bufferedAmount;
    if (heldSince === undefined && waiting > limits.hold) {
      heldSince = clock.monotonic();
      socket.pause();
    } else if (heldSince !== undefined && waiting <= limits.hold / 2) {
      heldSince = undefined;
      if (!isFull) readOn();
    } else if (heldSince !== undefined && waiting > limits.end && clock.monotonic() - heldSince >= BURST_MS) {
      giveUp(`${waiting} bytes wait that it does not read`);
    }
  };
  const readOn = () => {
    hear(); // what was said meanwhile is read from here on
    socket.resume();
  };
  const left = (error?: Error | null) => {
    if (error) return; // the end is told by `close`
    hasLeft = true;
    if (heldSince !== undefined) weigh();
  };
  const beat = () => {
    stuck = socket.bufferedAmount > 0 && !hasLeft ? stuck + 1 : 0;
    hasLeft = false;
    if (stuck >= SILENT_PINGS) return giveUp(`it has read nothing for ${stuck * pingSeconds} seconds`);
    if (heldSince !== undefined) weigh();
    if (unanswered >= SILENT_PINGS - 1) {
      timer = clock.after(LAST_LOOK_MS, () => unanswered > 0 && !socket.isPaused ? socket.terminate() : ping());
    } else ping();
  };
  const ping = () => {
    // While nothing is read, an answer could not be heard.
    if (!socket.isPaused) unanswered++;
    socket.ping(undefined, undefined, left);
    timer = clock.after(pingSeconds * 1000, beat);
  };
  timer = clock.after(pingSeconds * 1000, beat);
  socket.on("pong", hear);
  socket.on("message", hear);
  socket.on("close", () => timer.cancel());
  // `close` follows every error and carries the code; without a listener an error would end the process.
  socket.on("error", () => timer.cancel());
  return {
    send(text) {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(text, left);
      weigh();
    },
    onText: (listen) =>
      void socket.on("message", (data, isBinary) => {
        if (isBinary) return socket.close(1003, "text frames only");
        listen(data.toString());
      }),
    onClose: (listen) => void socket.once("close", (code, reason) => listen(code, gaveUp ?? reason.toString())),
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
    pause() {
      isFull = true;
      socket.pause();
    },
    resume() {
      isFull = false;
      if (heldSince === undefined) readOn();
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
