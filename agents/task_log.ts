/**
 * From the operator's hand into the spool: masked, in the order of the calls, with the source position that goes with
 * exactly the bytes that are on disk.
 *
 * The redactor may hold back an end that could become a secret. A position must never be ahead of what is spooled, or a
 * crash would lose those bytes. Where a call's bytes are its source's bytes one to one, the position is simply that many
 * bytes less; where they are not (an operator adds a prefix), the call waits until all of it is decided.
 */
import { createRedactor } from "./redact.ts";
import type { Spool } from "./spool.ts";

export interface TaskLog {
  log(data: string | Uint8Array, position?: number): Promise<void>;
  /** Lets the held end go and closes the spool. */
  finish(): Promise<void>;
}

export function createTaskLog(spool: Spool, secrets: Iterable<string>): TaskLog {
  const redactor = createRedactor(secrets);
  const text = new TextEncoder();
  let position = spool.position;
  /** Length of the last call that had a position, and whether its bytes were its source's; bytes logged since then. */
  let last = { length: 0, oneToOne: true };
  let since = 0;
  /** Decided bytes that wait because their position cannot be told yet. */
  let waiting: Uint8Array[] = [];

  return {
    log(data, at) {
      const bytes = typeof data === "string" ? text.encode(data) : data;
      if (at === undefined) since += bytes.length;
      else {
        last = { length: bytes.length, oneToOne: at - position === bytes.length };
        since = 0;
        position = at;
      }
      waiting.push(redactor.push(bytes));
      const held = Math.max(0, redactor.held - since);
      if (held > 0 && (!last.oneToOne || held > last.length)) return Promise.resolve(); // goes with the call that decides it
      const ready = waiting;
      waiting = [];
      return appendAll(spool, ready, position - held);
    },
    async finish() {
      try {
        await appendAll(spool, [...waiting, redactor.flush()], position);
      } finally {
        waiting = [];
        await spool.finish();
      }
    },
  };
}

/** The same for a spool that there is only from the first word on, and of which nobody wants anything after the end. */
export function createLateLog(spoolOf: () => Spool, secrets: Iterable<string>): TaskLog {
  let log: TaskLog | undefined;
  let isOver = false;
  return {
    log(data, position) {
      if (isOver && !log) return Promise.resolve();
      log ??= createTaskLog(spoolOf(), secrets);
      return log.log(data, position);
    },
    finish() {
      isOver = true;
      return log?.finish() ?? Promise.resolve();
    },
  };
}

function appendAll(spool: Spool, parts: Uint8Array[], position: number): Promise<void> {
  const writes = parts.map((part, i) =>
    part.length > 0 || i === parts.length - 1 ? spool.append(part, position) : null
  );
  return Promise.all(writes).then(() => undefined);
}
