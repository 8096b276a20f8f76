/**
 * The network: connections that keep the order of their frames, as TCP does, and everything that may befall them.
 *
 *   send -> waits in its lane: latency, and for as long as the way is blocked -> delivered | answered with a reset
 *
 * A blocked way loses nothing: frames come late when it opens, if anybody is still there. A vanished connection (a NAT
 * that forgot it) swallows frames for ever, and no end is told. `jumble` lets application messages overtake and repeat
 * one another, which no connection does but which F47 asks for; only a result stays behind the log that was sent before
 * it, because an attempt that is taken to have ended may be followed by the next one, and what then comes of its log is
 * nobody's. Each end looks like a `ws` socket, so the product's own
 * links (scheduler/ws_link.ts, host/dial.ts) are what the two sides hold.
 */
import type { WebSocket } from "ws";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { Timeline } from "./timeline.ts";

type Frame =
  | { kind: "text"; text: string }
  | { kind: "close"; code: number; reason: string }
  | { kind: "ping" | "pong" | "reset" };

const CLOSE_TIMEOUT_MS = 30_000;
const HANDSHAKE = /"agent\.(hello|challenge|welcome)"/;
const LOG = /"type":"log\.chunk"/;
const RESULT = /"type":"task\.(result|refuse)"/;

export class Network {
  /** Ways on which nothing gets through, `from>to`. */
  readonly blocked = new Set<string>();
  readonly sockets = new Set<Socket>();
  jumble = 0;
  constructor(readonly timeline: Timeline, readonly random: Random) {}

  isOpen = (from: Process, to: Process): boolean => !this.blocked.has(`${from.name}>${to.name}`);
  latency = (): number => this.random.happens(0.02) ? this.random.between(50, 400) : this.random.between(0.2, 8);

  /** Both ends of a new connection. */
  join(near: Process, far: Process): [Socket, Socket] {
    const ends: [Socket, Socket] = [new Socket(this, near), new Socket(this, far)];
    ends[0].peer = ends[1];
    ends[1].peer = ends[0];
    for (const end of ends) this.sockets.add(end);
    return ends;
  }
  open(way: string): void {
    this.blocked.delete(way);
    for (const socket of this.sockets) socket.pump();
  }
  openAll(): void {
    this.blocked.clear();
    for (const socket of this.sockets) socket.pump();
  }
  /** Its sockets go with a process; their peers hear of it if the way is open and the machine can still say so. */
  bury(process: Process, silently: boolean): void {
    for (const socket of [...this.sockets].filter((s) => s.process === process)) socket.abandon(silently);
  }
}

type Listener = (...args: never[]) => void;

export class Socket {
  readonly OPEN = 1;
  readyState = 1;
  /** Nothing is read: what comes waits on the way. */
  isPaused = false;
  vanished = false;
  peer!: Socket;
  #lane: { frame: Frame; readyAt: number }[] = [];
  #lastReadyAt = 0;
  /** When the last piece of a log comes that was overtaken. */
  #logsUntil = 0;
  #pumping = false;
  readonly #listeners = new Map<string, Listener[]>();
  constructor(readonly network: Network, readonly process: Process) {}

  get asWebSocket(): WebSocket {
    return this as unknown as WebSocket;
  }
  on(event: string, listener: Listener): this {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    return this;
  }
  once(event: string, listener: Listener): this {
    return this.on(event, listener); // only `close` is waited for so, and comes once
  }
  #emit(event: string, ...args: unknown[]): void {
    for (const listener of this.#listeners.get(event) ?? []) (listener as (...args: unknown[]) => void)(...args);
  }

  /** What no network can take over at the moment. */
  get bufferedAmount(): number {
    if (this.#isClear()) return 0;
    return this.#lane.reduce((sum, { frame }) => sum + (frame.kind === "text" ? frame.text.length : 0), 0);
  }
  send(text: string): void {
    if (this.readyState !== 1 || !this.process.alive) return;
    const { jumble, random, timeline } = this.network;
    if (jumble > 0 && !HANDSHAKE.test(text)) {
      const frame: Frame = { kind: "text", text };
      // It comes by itself, whatever else is on its way; nothing is ever lost by that.
      const comeIn = (ms: number) =>
        void timeline.after(ms, () => this.#isRead() ? this.#hand(frame) : this.#queue(frame));
      const luck = random();
      if (luck < jumble) {
        const ms = Math.max(random.between(1, 300), RESULT.test(text) ? this.#logsUntil - timeline.now : 0);
        if (LOG.test(text)) this.#logsUntil = Math.max(this.#logsUntil, timeline.now + ms);
        return comeIn(ms); // overtaken
      }
      if (RESULT.test(text) && this.#logsUntil > timeline.now) return comeIn(this.#logsUntil - timeline.now);
      if (luck < 2 * jumble) comeIn(random.between(1, 3000)); // and once more
    }
    this.#queue({ kind: "text", text });
  }
  ping(): void {
    if (this.process.alive) this.#queue({ kind: "ping" });
  }
  close(code: number, reason: string): void {
    if (this.readyState !== 1 || !this.process.alive) return;
    this.readyState = 2;
    this.#queue({ kind: "close", code, reason });
    this.network.timeline.after(CLOSE_TIMEOUT_MS, () => this.process.enter(() => this.terminate()));
  }
  terminate(): void {
    if (this.readyState === 3 || !this.process.alive) return;
    this.readyState = 3;
    this.#queue({ kind: "reset" });
    this.network.timeline.after(0, () => this.process.enter(() => this.#end(1006, "")));
  }
  abandon(silently: boolean): void {
    this.readyState = 3;
    if (silently) this.#lane = [];
    else this.#queue({ kind: "reset" });
    this.network.sockets.delete(this);
  }
  /** The connection breaks, and both ends are told. */
  cut(): void {
    for (const end of [this, this.peer]) end.process.enter(() => end.#take({ kind: "reset" }));
  }
  vanish(): void {
    this.vanished = this.peer.vanished = true;
  }

  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
    this.peer.pump();
  }

  #isRead = () => this.#isClear() && !this.peer.isPaused;
  #isClear = () => !this.vanished && this.network.isOpen(this.process, this.peer.process);

  #queue(frame: Frame): void {
    const { timeline } = this.network;
    // A reset is not sent again: on a blocked way nobody hears of it.
    if (frame.kind === "reset" && !this.#isClear()) return;
    this.#lastReadyAt = Math.max(this.#lastReadyAt, timeline.now + this.network.latency());
    this.#lane.push({ frame, readyAt: this.#lastReadyAt });
    this.pump();
  }
  pump(): void {
    const head = this.#lane[0];
    if (!head || this.#pumping || !this.#isRead()) return;
    this.#pumping = true;
    this.network.timeline.after(head.readyAt - this.network.timeline.now, () => {
      this.#pumping = false;
      if (!this.#isRead() || this.#lane[0] !== head) return this.pump();
      this.#lane.shift();
      this.#hand(head.frame);
      this.pump();
    });
  }
  #hand(frame: Frame): void {
    const { peer } = this;
    if (peer.readyState !== 3 && peer.process.alive) return peer.process.enter(() => peer.#take(frame));
    // Nobody is there: the machine answers with a reset, if the way back is open.
    if (frame.kind !== "reset" && peer.#isClear()) {
      this.network.timeline.after(
        this.network.latency(),
        () => this.process.enter(() => this.#take({ kind: "reset" })),
      );
    }
  }

  #take(frame: Frame): void {
    if (this.readyState === 3) return;
    switch (frame.kind) {
      case "text":
        return this.#emit("message", frame.text, false);
      case "ping":
        this.#emit("ping");
        return this.#queue({ kind: "pong" });
      case "pong":
        return this.#emit("pong");
      case "reset":
        return this.#end(1006, "");
      case "close":
        if (this.readyState === 1) this.#queue(frame); // the answer of the closing handshake
        return this.#end(frame.code, frame.reason);
    }
  }
  #end(code: number, reason: string): void {
    this.readyState = 3;
    this.network.sockets.delete(this);
    const listeners = this.#listeners.get("close") ?? [];
    this.#listeners.delete("close");
    for (const listener of listeners) (listener as (code: number, reason: string) => void)(code, reason);
  }
}
