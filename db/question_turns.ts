/**
 * One question at a time, for a connection of a transaction pooler.
 *
 *   free --the last message of a question goes out--> asked --ReadyForQuery--> free
 *        everything behind that message is held ------'  |
 *                                                        '--CopyInResponse--> the data is part of the question, to its end
 *
 * The driver sends a statement behind one that has no answer yet. A pooler takes the server's connection back with the
 * first answer and gives the second, types and rows and all, to whoever is lent that connection next (seen with pgbouncer
 * 1.18, which Debian 12 has). What is held goes with its connection, like everything that was not answered.
 */
export interface QuestionTurns {
  /** Whole messages, as the driver writes them; `done` when they have left. */
  ask(bytes: Uint8Array, done?: () => void): void;
  /** What the server says, by its type. */
  hear(type: number): void;
}

const codes = (types: string) => new Set([...types].map((type) => type.charCodeAt(0)));
/** Query of the simple protocol, Sync of the extended; of data CopyDone and CopyFail. */
const ENDS = codes("QS");
const ENDS_OF_DATA = codes("cf");
const [READY_FOR_QUERY, COPY_IN] = codes("ZG");
const LENGTH_AT = 1;

export function createQuestionTurns(send: (bytes: Uint8Array, done?: () => void) => void): QuestionTurns {
  const held: { bytes: Uint8Array; done: (() => void) | undefined }[] = [];
  let isAsked = false;
  let ends = ENDS;
  function sendOn(): void {
    while (!isAsked && held.length > 0) {
      const { bytes, done } = held[0]!;
      const to = endOfQuestion(bytes);
      isAsked = to !== undefined;
      if (to === undefined || to === bytes.length) {
        held.shift();
        send(bytes, done);
      } else {
        held[0] = { bytes: bytes.subarray(to), done };
        send(bytes.subarray(0, to));
      }
    }
  }
  /** Behind the first message that ends one; undefined while it goes on. */
  function endOfQuestion(bytes: Uint8Array): number | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length;) {
      const type = bytes[at]!;
      at += LENGTH_AT + view.getUint32(at + LENGTH_AT);
      if (ends.has(type)) return at;
    }
    return undefined;
  }
  return {
    ask(bytes, done) {
      held.push({ bytes, done });
      sendOn();
    },
    hear(type) {
      if (type !== READY_FOR_QUERY && type !== COPY_IN) return;
      ends = type === COPY_IN ? ENDS_OF_DATA : ENDS;
      isAsked = false;
      sendOn();
    },
  };
}
