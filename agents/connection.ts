/**
 * One connection at a time to the master, for ever.
 *
 *   waiting --jittered delay--> dialling --open--> greeting --challenge, hello, welcome--> up
 *      ^------------------------ closed, refused, silent, or a frame that nobody understands ----'
 *
 * The pings are the master's. Whoever hears nothing at all for two periods of them ends the socket, because a peer that
 * vanished sends no FIN. Messages of one turn leave as one frame. A crash leaves nothing here: all state is the
 * agent's.
 */
import type { Chance, Clock, Dialer, Link, Logger, Timer } from "../domain/ports.ts";
import { reconnectDelayMs } from "../domain/reconnect_delay.ts";
import {
  CLOSE,
  type FromAgent,
  parseToAgent,
  PING_SECONDS,
  pingSeconds,
  PROTOCOL,
  SILENT_PINGS,
  type ToAgent,
} from "../protocol/agent_messages.ts";

type Challenge = Extract<ToAgent, { type: "agent.challenge" }>;
type Welcome = Extract<ToAgent, { type: "agent.welcome" }>;
type Hello = Extract<FromAgent, { type: "agent.hello" }>;
export type AfterWelcome = Exclude<ToAgent, Challenge | Welcome>;

/** How long a master may say nothing. Before the welcome nobody knows how long its leases are. */
export const silenceMs = (leaseSeconds: number = PING_SECONDS): number =>
  SILENT_PINGS * pingSeconds(leaseSeconds) * 1000;
const GREETING_MS = 10_000;
const SLOWLY_MS = 30_000;
/** A connection that lived longer had nothing wrong with it from the beginning. */
const SHORT_MS = 60_000;
/** Characters of one frame; the limit of the wire is 1 MiB, and a character is at most three bytes. */
const FRAME_CHARACTERS = 256 * 1024;
const FRAME_MESSAGES = 1000;

/** What a close code means for the next dial; every other one means: again, with the usual delay. */
const ANSWERS: Record<number, { dial: "slowly" | "never"; say: string }> = {
  [CLOSE.revoked]: { dial: "never", say: "The master has revoked this agent; enrol it again with a new token." },
  [CLOSE.unauthenticated]: { dial: "slowly", say: "The master does not accept this agent's identity." },
  [CLOSE.replaced]: { dial: "slowly", say: "Another process has connected with this agent's identity." },
  [CLOSE.copied]: {
    dial: "slowly",
    say:
      "Another process has this agent's identity, and the master believes that one. Stop the copy; if this machine is the right one, revoke the agent and enrol it again.",
  },
  [CLOSE.noCommonProtocol]: { dial: "slowly", say: "The master speaks another version of the protocol; upgrade one." },
};

export interface ConnectionOptions {
  dialer: Dialer;
  clock: Clock;
  chance: Chance;
  logger: Logger;
  /** Throws to refuse the master (it is another one than at enrolment). */
  hello(challenge: Challenge): Promise<Hello>;
  /** @param helloSentAt monotonic, just before the hello left */
  welcomed(welcome: Welcome, helloSentAt: number): void;
  received(message: AfterWelcome): void;
  disconnected(): void;
  revoked(why: string): void;
  /** The shortest lease of what is held, which is at stake while there is no connection; undefined when nothing is. */
  atStakeMs(): number | undefined;
}

export interface Connection {
  start(): void;
  /** Resolves when the socket has ended. */
  stop(code: number, reason: string, patienceMs?: number): Promise<void>;
  /** Dropped while not connected: everything that matters is told again after the next welcome. */
  send(message: FromAgent): void;
  readonly isUp: boolean;
  bufferedAmount(): number;
}

export function createConnection(options: ConnectionOptions): Connection {
  const { clock, logger } = options;
  let current: Session | undefined;
  let timer: Timer | undefined;
  let failures = 0;
  /** Where in each window of this outage it dials. */
  let place = 0;
  /** Short connections in a row, ended because one side did not understand the other: a welcome mends nothing there. */
  let misunderstood = 0;
  let stopped = false;
  let trouble = "";

  /** One line per change of the trouble, not one per attempt. */
  function complain(what: string) {
    if (what !== trouble) logger.log("WARN", what);
    trouble = what;
  }

  function dialLater(answer?: { dial: "slowly" | "never"; say: string }) {
    if (stopped) return;
    if (answer?.dial === "never") {
      stopped = true;
      logger.log("ERROR", answer.say);
      return options.revoked(answer.say);
    }
    if (failures === 0) place = options.chance();
    const delay = answer
      ? SLOWLY_MS * (0.5 + options.chance() / 2)
      : reconnectDelayMs(failures, place, options.atStakeMs());
    failures = Math.min(failures + 1, 20);
    timer = clock.after(delay, () => void dial());
  }

  async function dial(): Promise<void> {
    let link: Link;
    try {
      link = await options.dialer.dial();
    } catch (error: unknown) {
      complain(`The master cannot be reached: ${error instanceof Error ? error.message : error}`);
      return dialLater();
    }
    if (stopped) return link.terminate();
    current = createSession(link);
  }

  interface Session {
    link: Link;
    isUp: boolean;
    send(message: FromAgent): void;
    ended: Promise<void>;
  }

  function createSession(link: Link): Session {
    const openedAt = clock.monotonic();
    let heardAt = openedAt;
    let helloSentAt: number | undefined;
    let greeted = false;
    let outgoing: string[] = [];
    let over: () => void;
    const session: Session = {
      link,
      isUp: false,
      send(message) {
        outgoing.push(JSON.stringify(message));
        if (outgoing.length === 1) queueMicrotask(flush);
      },
      ended: new Promise((resolve) => over = resolve),
    };
    const greeting = clock.after(GREETING_MS, () => {
      complain("The master accepted the connection and then said nothing.");
      link.terminate();
    });
    let patienceMs = silenceMs();
    let silence = link.onPing ? clock.after(patienceMs, checkSilence) : undefined;

    function checkSilence() {
      silence?.cancel();
      const left = heardAt + patienceMs - clock.monotonic();
      if (left <= 0) {
        complain("The master has gone silent.");
        return link.terminate();
      }
      silence = clock.after(left, checkSilence);
    }

    function flush() {
      const messages = outgoing;
      outgoing = [];
      let frame: string[] = [];
      let size = 0;
      const leave = () => {
        if (frame.length > 0) link.send(frame.length === 1 ? frame[0]! : `[${frame.join(",")}]`);
        frame = [];
        size = 0;
      };
      for (const message of messages) {
        if (size + message.length > FRAME_CHARACTERS || frame.length === FRAME_MESSAGES) leave();
        frame.push(message);
        size += message.length;
      }
      leave();
    }

    async function answer(challenge: Challenge) {
      if (greeted) throw new Error("a second challenge");
      greeted = true;
      const hello = await options.hello(challenge);
      helloSentAt = clock.monotonic();
      session.send(hello);
    }

    function take(message: ToAgent) {
      if (message.type === "agent.challenge") {
        answer(message).catch((error: unknown) => {
          complain(`No hello was sent: ${error instanceof Error ? error.message : error}`);
          link.close(CLOSE.unauthenticated, "no hello");
        });
      } else if (message.type === "agent.welcome") {
        if (helloSentAt === undefined || session.isUp) throw new Error("an unexpected welcome");
        if (message.protocol < PROTOCOL.min || message.protocol > PROTOCOL.max) {
          return link.close(CLOSE.noCommonProtocol, `protocol ${message.protocol} was never offered`);
        }
        greeting.cancel();
        session.isUp = true;
        patienceMs = silenceMs(message.leaseSeconds);
        if (silence) checkSilence();
        failures = 0;
        trouble = "";
        logger.log("INFO", "Connected to the master.", { sessionId: message.sessionId });
        options.welcomed(message, helloSentAt);
      } else if (session.isUp) options.received(message);
      else throw new Error(`${message.type} before the welcome`);
    }

    link.onPing?.(() => heardAt = clock.monotonic());
    link.onText((text) => {
      heardAt = clock.monotonic();
      try {
        for (const message of parseToAgent(text)) take(message);
      } catch (error: unknown) {
        complain(`The master sent something this agent does not understand: ${error}`);
        link.close(CLOSE.badMessage, "not understood");
      }
    });
    link.onClose((code, reason) => {
      greeting.cancel();
      silence?.cancel();
      const wasUp = session.isUp;
      session.isUp = false;
      if (current === session) current = undefined;
      if (wasUp) options.disconnected();
      if (!stopped) complain(ANSWERS[code]?.say ?? `The connection ended (${code}${reason ? `: ${reason}` : ""}).`);
      over();
      const wasShort = clock.monotonic() - openedAt < SHORT_MS;
      misunderstood = code === CLOSE.badMessage && wasShort ? misunderstood + 1 : 0;
      failures = Math.min(10, Math.max(failures, misunderstood - 1));
      dialLater(ANSWERS[code]);
    });
    return session;
  }

  return {
    start: () => void dial(),
    async stop(code, reason, patienceMs = 2000) {
      stopped = true;
      timer?.cancel();
      const session = current;
      if (!session) return;
      session.link.close(code, reason);
      const giveUp = clock.after(patienceMs, () => session.link.terminate());
      await session.ended;
      giveUp.cancel();
    },
    send: (message) => current?.isUp ? current.send(message) : undefined,
    get isUp() {
      return current?.isUp ?? false;
    },
    bufferedAmount: () => current?.link.bufferedAmount ?? 0,
  };
}
