/**
 * One question at a time, for a connection of a transaction pooler.
 *
 *   free --a question's last message goes out--> asked --ReadyForQuery--> free
 *        everything behind that message is held ----^
 *
 * The driver sends a statement behind one that has no answer yet. A pooler takes the server's connection back with the
 * first answer and gives the second, types and rows and all, to whoever is lent that connection next (seen with pgbouncer
 * 1.18, which Debian 12 has). What is held goes with its connection, like everything that was not answered.
 */
export interface QuestionTurns {
  /** What a driver writes, in any pieces. */
  ask(bytes: Uint8Array): void;
  /** The server is ready for the next. */
  answered(): void;
}

const HEADER = 5;
/** Sync ends a question of the extended protocol, Query is one of the simple. */
const ENDS = ["S", "Q"].map((type) => type.charCodeAt(0));

export function createQuestionTurns(send: (bytes: Uint8Array) => void): QuestionTurns {
  let held: Uint8Array = new Uint8Array();
  let isAsked = false;
  /** Whole messages up to the end of one question. */
  function sendNext(): void {
    let end = 0;
    const view = new DataView(held.buffer, held.byteOffset, held.byteLength);
    while (!isAsked && held.length - end >= HEADER) {
      const next = end + 1 + view.getUint32(end + 1);
      if (next > held.length) break;
      isAsked = ENDS.includes(held[end]!);
      end = next;
    }
    if (end === 0) return;
    const now = held.subarray(0, end);
    held = held.subarray(end);
    send(now);
  }
  return {
    ask(bytes) {
      held = held.length > 0 ? new Uint8Array([...held, ...bytes]) : bytes;
      sendNext();
    },
    answered() {
      isAsked = false;
      sendNext();
    },
  };
}
