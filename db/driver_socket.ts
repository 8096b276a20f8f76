/**
 * The socket that the driver is given. The driver forgets its socket in the moment it closes and may still write a
 * ROLLBACK to it, which ends the process (porsager/postgres#1154, #1208), or keeps what it had not written yet and sends
 * it ahead of its next greeting. So it sees the end of a connection in three steps:
 *
 *   open --lost, or silent for too long--> `error`: all who wait are told --two turns: what they made the driver write
 *   is dropped here--> `close`: the driver lets go, and opens another when it needs one
 *
 * A server's last words (FATAL) are the reason of the loss. Given to the driver, it would keep them and fail the first
 * statement of the next connection with them, long after.
 *
 * A driver that lost its connection while it meant to write may never write again: it calls the turn off and still
 * counts on it, until it holds 1 KB. So a new socket to which nothing is said ends at once, and the driver, which tries
 * again with one more greeting each time, is over that limit soon. The last greeting is what counts of all it held.
 *
 * Silent is a connection that was written to and says nothing at all: the other end is gone without a word, and nobody
 * else would ever notice. A server that is merely slow gives up its statements before that (`statement_timeout`).
 */
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import net from "node:net";
import { clearInterval, setInterval } from "node:timers";
import tls from "node:tls";
import { createQuestionTurns } from "./question_turns.ts";
import type { QuestionTurns } from "./question_turns.ts";

export interface DriverTarget {
  host: string[];
  port: number[];
  /** Of a Unix socket. */
  path?: string | false;
}
/** As in the address: `require` and `prefer` encrypt, `verify-full` and the like also check who answers. */
export type TlsMode = string | false;

const ENCRYPT_ONLY = ["require", "allow", "prefer", "true"];
/** A silence is noticed by a tenth of its limit late. */
const LOOKS = 10;
/** A driver greets in the turn after the one that gave it the socket. */
const GREETING_TURNS = 4;
/** `SSLRequest` of the wire protocol. */
const SSL_REQUEST = new Uint8Array([0, 0, 0, 8, 4, 210, 22, 47]);
const YES = "S".charCodeAt(0);

export interface SocketOptions {
  mode: TlsMode;
  silenceMs: number | null;
  /** Nothing is sent behind a question that has no answer yet. */
  inTurn: boolean;
}

/** @returns a factory that never fails: a connection that cannot be made ends as one that was lost */
export function createSocketFactory(
  { mode, silenceMs, inTurn }: SocketOptions,
): (target: DriverTarget) => DriverSocket {
  let turn = 0;
  return (target) => {
    // Of several hosts the next one each time.
    const at = turn++ % target.host.length;
    const [host, port] = [target.host[at]!, target.port[at] ?? target.port[0]!];
    const raw = target.path ? net.connect(target.path) : net.connect({ host, port });
    const options = { mode: target.path ? false : mode, silenceMs, inTurn };
    return new DriverSocket(raw, { host, port }, options);
  };
}

export class DriverSocket extends EventEmitter {
  readyState: "open" | "closed" = "open";
  readonly host: string;
  readonly port: number;
  #socket: net.Socket;
  /** Until the connection stands: what the driver wrote meanwhile. */
  #early: Uint8Array[] | undefined = [];
  /** When the first statement was written that has no word of an answer yet. */
  #waitingSince: number | undefined;
  /** One for the life of the socket: a timer for each statement would cost a third of its round trip. */
  #watchdog: ReturnType<typeof setInterval> | undefined;
  readonly #silenceMs: number | null;
  readonly #mode: TlsMode;

  readonly #turns: QuestionTurns | undefined;

  constructor(raw: net.Socket, to: { host: string; port: number }, { mode, silenceMs, inTurn }: SocketOptions) {
    super();
    this.host = to.host;
    this.port = to.port;
    this.#mode = mode;
    this.#silenceMs = silenceMs;
    this.#turns = inTurn ? createQuestionTurns((bytes, done) => this.#send(bytes, done)) : undefined;
    this.#socket = raw;
    this.#watch(raw);
    raw.setNoDelay(true);
    raw.once("connect", () => this.#mode ? this.#encrypt() : this.#stand());
    this.#awaitGreeting(GREETING_TURNS);
  }

  write(bytes: Uint8Array, done?: () => void): boolean {
    if (this.readyState === "closed") return true;
    if (!this.#isGreeted) {
      this.#isGreeted = true;
      return this.#send(cutGreeting(bytes)); // it has no type, unlike all messages that follow
    }
    if (!this.#turns) return this.#send(bytes, done);
    this.#turns.ask(bytes, done);
    return true;
  }
  #send(bytes: Uint8Array, done?: () => void): boolean {
    if (this.#early) {
      this.#early.push(bytes);
      return true;
    }
    this.#waitingSince ??= performance.now();
    return done ? this.#socket.write(bytes, done) : this.#socket.write(bytes);
  }
  end(bytes: Uint8Array): void {
    this.readyState = "closed";
    clearInterval(this.#watchdog);
    this.#socket.end(bytes);
  }
  destroy(): void {
    this.#lose();
  }
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }
  setKeepAlive(on: boolean, afterMs: number): void {
    this.#socket.setKeepAlive(on, afterMs);
  }

  #watch(socket: net.Socket): void {
    socket.on("error", (error: Error) => this.#lose(error));
    socket.on("close", () => this.#lose(lost("CONNECTION_CLOSED", "closed the connection")));
    socket.on("drain", () => this.emit("drain"));
  }

  #stand(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    const turns = this.#turns;
    const walk = createMessageWalk(turns?.hear);
    this.#watchSilence();
    this.#socket.on("data", (bytes: Uint8Array) => {
      this.#waitingSince = undefined;
      const { fatalAt, reason } = walk(bytes);
      if (!reason) return void this.emit("data", bytes);
      if (fatalAt > 0) this.emit("data", bytes.subarray(0, fatalAt));
      this.#lose(reason);
    });
    for (const bytes of early) this.#send(bytes);
  }

  #awaitGreeting(turns: number): void {
    if (this.#isGreeted || this.#isOver) return;
    if (turns === 0) return this.#lose();
    setImmediate(() => this.#awaitGreeting(turns - 1));
  }

  #watchSilence(): void {
    const limit = this.#silenceMs;
    if (limit === null) return;
    this.#watchdog = setInterval(() => {
      if (this.#waitingSince === undefined || performance.now() - this.#waitingSince < limit) return;
      this.#lose(lost("ETIMEDOUT", `said nothing for ${limit / 1000} s`));
    }, limit / LOOKS);
    this.#watchdog.unref();
  }

  #encrypt(): void {
    const raw = this.#socket;
    raw.write(SSL_REQUEST);
    raw.once("data", (answer: Uint8Array) => {
      if (answer[0] !== YES) {
        if (this.#mode === "prefer") return this.#stand();
        return this.#lose(lost("08001", "does not speak TLS, which sslmode asks for"));
      }
      const secure = tls.connect({
        socket: raw,
        servername: net.isIP(this.host) ? undefined : this.host,
        rejectUnauthorized: !ENCRYPT_ONLY.includes(String(this.#mode)),
      });
      this.#socket = secure;
      this.#watch(secure);
      secure.once("secureConnect", () => this.#stand());
    });
  }

  /** The end, once. Without a reason it was the driver's own wish. */
  #lose(reason?: Error): void {
    const wished = this.readyState === "closed";
    if (this.#isOver) return;
    this.#isOver = true;
    this.readyState = "closed";
    clearInterval(this.#watchdog);
    this.#socket.destroy();
    if (reason && !wished) this.emit("error", reason);
    setImmediate(() => setImmediate(() => this.emit("close", false)));
  }
  #isOver = false;
  #isGreeted = false;
}

/** Of a greeting: its length, then this version of the protocol. */
const PROTOCOL_3 = 0x0003_0000;

/** What a driver says first, without what it still held for the connection before. */
export function cutGreeting(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = bytes.length - 8; at > 0; at--) {
    if (view.getInt32(at) === bytes.length - at && view.getInt32(at + 4) === PROTOCOL_3) return bytes.subarray(at);
  }
  return bytes;
}

const HEADER = 5;
const ERROR = "E".charCodeAt(0);
const EMPTY = new Uint8Array();
const NOTHING: { fatalAt: number; reason?: Error } = { fatalAt: -1 };

/**
 * Follows the server's messages (a type, four bytes of length, a body) from one piece to the next, for a FATAL one.
 * @param onMessage hears the type of each
 */
export function createMessageWalk(
  onMessage?: (type: number) => void,
): (bytes: Uint8Array) => { fatalAt: number; reason?: Error } {
  /** Of the message that the last piece ended in: bytes of its body still to come, and its header if that was cut. */
  let left = 0;
  let cut = EMPTY;
  return (piece) => {
    const bytes = cut.length > 0 ? Buffer.concat([cut, piece]) : piece;
    const ahead = cut.length;
    let at = Math.min(left, bytes.length);
    left -= at;
    while (bytes.length - at >= HEADER) {
      const bodyAt = at + HEADER;
      const length = ((bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!) - 4;
      const reason = bytes[at] === ERROR ? readFatal(bytes.subarray(bodyAt, bodyAt + length)) : undefined;
      if (reason) return { fatalAt: Math.max(0, at - ahead), reason };
      onMessage?.(bytes[at]!);
      at = Math.min(bodyAt + length, bytes.length);
      left = bodyAt + length - at;
    }
    cut = at === bytes.length ? EMPTY : new Uint8Array(bytes.subarray(at));
    return NOTHING;
  };
}

/** The fields of an error are a letter and a text each, ended by a NUL; V is how bad it is, whatever the language. */
function readFatal(body: Uint8Array): Error | undefined {
  const fields = new Map(new TextDecoder().decode(body).split("\0").map((field) => [field[0], field.slice(1)]));
  if (!["FATAL", "PANIC"].includes(fields.get("V") ?? "")) return undefined;
  return lost(fields.get("C") ?? "08006", `said: ${fields.get("M")}`);
}

const lost = (code: string, what: string) => Object.assign(new Error(`the database ${what}`), { code });
