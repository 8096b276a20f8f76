/**
 * A `ws` socket as a link. Pings go out from this side: an agent behind NAT is kept open by them, and one that is silent
 * for two periods is gone, whatever the operating system still believes.
 *
 * Whoever asks has to read the answers, or they would fill this process's memory:
 *
 *   read --more than 4 MiB wait to leave--> held: nothing more is read from the peer --half of it has left--> read
 *     '------------- nothing leaves for two ping periods, or 16 MiB wait for a while --> ended, with a reason
 *
 * What it says itself is no sign that it reads: the system takes megabytes for a peer that never does. So with nothing
 * waiting here, only an answered ping is one. What waits for all of them together is bounded too (`outflow.ts`).
 */
import type { WebSocket } from "ws";
import type { Clock, Link, Timer } from "../domain/ports.ts";
import { PING_SECONDS, SILENT_PINGS } from "../protocol/agent_messages.ts";
import { BURST_MS, LAST_LOOK_MS } from "./outflow.ts";
import type { Outflow } from "./outflow.ts";

/**
 * Of a ping period. Beats of all links fall on these, each link's on its own of them: with thousands of links, a beat
 * at any moment of its own woke the process for each, which was a fifth of what it did while nothing happened.
 */
const TICKS = 200;

/** Bytes that wait to leave. */
export interface OutgoingLimits {
  /** While more than this waits, nothing more is read from the peer. */
  hold: number;
  /** With more than this the peer is given up. */
  end: number;
}
const LIMITS: OutgoingLimits = { hold: 4 * 1024 * 1024, end: 16 * 1024 * 1024 };

export interface WsLinkOptions {
  clock: Clock;
  /** Of all links of this process. */
  outflow: Outflow;
  pingSeconds?: number | undefined;
  /** Its address. */
  peer?: string | undefined;
  limits?: OutgoingLimits;
}

export function createWsLink(socket: WebSocket, options: WsLinkOptions): Link {
  const { clock, pingSeconds = PING_SECONDS, limits = LIMITS } = options;
  const tickMs = pingSeconds * 1000 / TICKS;
  /** Pings since anything was heard. */
  let unanswered = 0;
  let timer: Timer;
  /** Ping periods in a row without a sign that it reads. */
  let stuck = 0;
  let hasLeft = false;
  /** Nothing is to be answered in the first period. */
  let hasAnswered = true;
  /** Since when nothing is read from the peer because it does not read itself. */
  let heldSince: number | undefined;
  /** Whoever handles what is read does not want more just now. */
  let isFull = false;
  let gaveUp: string | undefined;

  const hear = () => unanswered = 0;
  const hearAnswer = () => {
    hear();
    hasAnswered = true;
  };
  const giveUp = (why: string) => {
    gaveUp ??= why;
    socket.terminate();
  };
  const share = options.outflow.open(giveUp);
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
    share.note(waiting);
  };
  const readOn = () => {
    hearAnswer(); // what was said meanwhile is read from here on
    socket.resume();
  };
  const left = (error?: Error | null) => {
    if (error) return; // the end is told by `close`
    hasLeft = true;
    weigh();
  };
  const beatLater = () => {
    const now = clock.monotonic();
    const at = Math.round((now + pingSeconds * 1000) / tickMs) * tickMs;
    timer = clock.after(at - now, beat);
  };
  const beat = () => {
    const reads = socket.bufferedAmount > 0 ? hasLeft : hasAnswered || socket.isPaused;
    stuck = reads ? 0 : stuck + 1;
    hasLeft = hasAnswered = false;
    if (stuck >= SILENT_PINGS) {
      return giveUp(
        `it has read nothing for ${stuck * pingSeconds} seconds; ` +
          "see whether its process hangs or its network lets only one direction through",
      );
    }
    weigh();
    if (unanswered >= SILENT_PINGS - 1) {
      timer = clock.after(LAST_LOOK_MS, () => unanswered > 0 && !socket.isPaused ? socket.terminate() : ping());
    } else ping();
  };
  const ping = () => {
    // While nothing is read, an answer could not be heard.
    if (!socket.isPaused) unanswered++;
    socket.ping(undefined, undefined, left);
    beatLater();
  };
  beatLater();
  socket.on("pong", hearAnswer);
  socket.on("message", hear);
  socket.on("close", () => {
    timer.cancel();
    share.end();
  });
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
    peer: options.peer,
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
