/**
 * A link that repeats and reorders the messages of a conversation, each way, message by message. The greeting keeps its
 * order: without it there is no conversation yet.
 */
import type { Link } from "../../../domain/ports.ts";

export interface Unruly {
  random: () => number;
  /** Share of messages that come twice. */
  repeat: number;
  /** Messages are late by up to so many milliseconds, each by itself. */
  lateMs: number;
}

const GREETING = new Set(["agent.challenge", "agent.hello", "agent.welcome"]);

export function createUnrulyLink(link: Link, { random, repeat, lateMs }: Unruly): Link {
  let closed = false;
  let welcomed = false;
  function scatter(text: string, pass: (text: string) => void) {
    const messages = [JSON.parse(text)].flat() as { type: string }[];
    for (const message of messages) {
      const once = JSON.stringify(message);
      if (message.type === "agent.welcome") welcomed = true;
      if (GREETING.has(message.type) || !welcomed) {
        pass(once);
        continue;
      }
      for (let copies = random() < repeat ? 2 : 1; copies > 0; copies--) {
        setTimeout(() => closed ? undefined : pass(once), random() * lateMs);
      }
    }
  }
  return {
    send: (text) => scatter(text, link.send),
    onText: (listen) => link.onText((text) => scatter(text, listen)),
    onClose: (listen) =>
      link.onClose((code, reason) => {
        closed = true;
        listen(code, reason);
      }),
    close: link.close,
    terminate: link.terminate,
    get bufferedAmount() {
      return link.bufferedAmount;
    },
  };
}
