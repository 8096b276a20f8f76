/**
 * Both ends of a connection that never leaves the process. An embedded operator is an agent over such a pair: it goes the
 * same way as one on another machine, so there is one dispatch path.
 */
import type { Link } from "../domain/ports.ts";
export type { Dialer, Link } from "../domain/ports.ts";

/** What one end sends arrives at the other in order, never in the sender's own call. */
export function createMemoryLinkPair(): [Link, Link] {
  const left = createEnd();
  const right = createEnd();
  left.join(right);
  right.join(left);
  return [left.link, right.link];
}

type Arrival = { text: string } | { code: number; reason: string };

interface End {
  link: Link;
  take(arrival: Arrival): void;
  join(other: End): void;
}

function createEnd(): End {
  const arrivals: Arrival[] = [];
  let delivering = false;
  let closed = false;
  let peer: End;
  let onText: ((text: string) => void) | undefined;
  let onClose: ((code: number, reason: string) => void) | undefined;

  const take = (arrival: Arrival) => {
    if (closed) return;
    if ("code" in arrival) closed = true;
    arrivals.push(arrival);
    schedule();
  };
  const schedule = () => {
    if (delivering) return;
    delivering = true;
    queueMicrotask(() => {
      delivering = false;
      while (arrivals.length > 0) {
        const next = arrivals[0]!;
        if ("text" in next ? !onText : !onClose) return;
        arrivals.shift();
        if ("text" in next) onText!(next.text);
        else onClose!(next.code, next.reason);
      }
    });
  };
  const close = (code: number, reason: string) => {
    if (closed) return;
    peer.take({ code, reason });
    take({ code, reason });
  };
  const link: Link = {
    send: (text) => closed ? undefined : peer.take({ text }),
    onText(listen) {
      onText = listen;
      schedule();
    },
    onClose(listen) {
      onClose = listen;
      schedule();
    },
    close,
    terminate: () => close(1006, ""),
    bufferedAmount: 0,
  };
  return { link, take, join: (other) => void (peer = other) };
}
