/**
 * What the pure folders need of the outside, as types only. `host/` has the real ones, tests and the simulation have
 * their own; the composition root passes them in.
 */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, for people to read. Never decides over a lease. */
  now(): Date;
  /** Milliseconds that only ever grow, also while the wall clock is set. */
  monotonic(): number;
  /** Calls once, after so many milliseconds. */
  after(milliseconds: number, call: () => void): Timer;
}

/** A folder that survives a crash. Paths are relative to it, with `/`. */
export interface Disk {
  /** undefined when there is no such file. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** Part of a file; shorter at its end, empty past it. */
  readRange(path: string, from: number, length: number): Promise<Uint8Array>;
  /** 0 when there is no such file. */
  size(path: string): Promise<number>;
  /** All or nothing, and durable when it returns: temporary file, fsync, rename, fsync of the folder. */
  writeAtomic(path: string, bytes: Uint8Array): Promise<void>;
  /** Appends; durable only after `sync`. A crash may leave a part of the last append. */
  append(path: string, bytes: Uint8Array): Promise<void>;
  sync(path: string): Promise<void>;
  truncate(path: string, size: number): Promise<void>;
  /** Names in a folder; empty when there is none. */
  list(folder: string): Promise<string[]>;
  /** A file or a folder with all in it; nothing happens when it is not there. */
  remove(path: string): Promise<void>;
}

/** A number in [0, 1). */
export type Chance = () => number;

export type LogLevel = "DEBUG" | "INFO" | "WARN" | "ERROR";
/** The process's own log: one line per event, facts in `context`, never a secret. */
export interface Logger {
  log(level: LogLevel, message: string, context?: Record<string, unknown>): void;
}

/** A named place where a fault test may end the process; does nothing otherwise. */
export type CrashPoint = (name: string) => void;

/**
 * One connection that carries text frames in order; both ends look the same, a socket and a pair in memory alike. Frames
 * and an end that come before a listener is there wait for it, so that a dial and its listeners need not share a tick.
 */
export interface Link {
  send(text: string): void;
  onText(listen: (text: string) => void): void;
  /** Called once. 1006 when the connection broke without a closing frame; with a reason when this side gave the peer up. */
  onClose(listen: (code: number, reason: string) => void): void;
  /** Whether the peer answers within this time. Absent where a peer cannot vanish without closing (in memory). */
  probe?(patienceMs: number): Promise<boolean>;
  /** The peer's address; absent in memory. */
  readonly peer?: string;
  /** The peer's pings. Absent where a peer cannot vanish without closing (in memory). */
  onPing?(listen: () => void): void;
  close(code: number, reason: string): void;
  /** Nothing more is read, so whoever sends is held back by the network. Absent where nothing can be held back (in memory). */
  pause?(): void;
  resume?(): void;
  /** Ends at once, without the closing handshake that a vanished peer never answers. */
  terminate(): void;
  /** Bytes that were handed over and have not left yet. */
  readonly bufferedAmount: number;
}

export interface Dialer {
  dial(): Promise<Link>;
}
