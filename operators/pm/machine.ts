/**
 * Everything the pm operator needs of the machine it stands on. `host/machine.ts` is the real one; the composition root
 * passes it in. Paths are absolute.
 */
export interface Machine {
  /** As artifacts name them: `linux`, `darwin`; `amd64`, `arm64`. */
  readonly os: string;
  readonly arch: string;
  /** What a deployed program gets besides its own environment: PATH, HOME, LANG, ... and nothing secret of the agent's. */
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly files: MachineFiles;

  /** Units of systemd; undefined where there is none, or the agent may not make them. */
  readonly units?: Units | undefined;
  /** Starts a program under a keeper; both outlive the agent. Rejects when the keeper itself cannot start. */
  startProcess(start: ProcessStart): Promise<KeptProcess>;
  /** The process that was once started in this folder, running or ended; undefined when none ever was. */
  adoptProcess(folder: string): Promise<KeptProcess | undefined>;
  /** Every process whose environment holds all of these `NAME=value`, also one that left its group; no keepers. */
  findTagged(tags: string[]): Promise<{ pid: number; group: number }[]>;
  signalProcess(pid: number, signal: SignalName): void;
  /** Runs to its end and gives the last 4 KiB of its output; killed when the time is up (`code` is null then). */
  run(command: ShortRun): Promise<{ code: number | null; output: string }>;
  /** Where a program is found; undefined when it is nowhere on the path. */
  findProgram(name: string, path: string): Promise<string | undefined>;
  /** undefined when it can start programs as this user; else a sentence that says why not. */
  refuseUser(user: string, folder: string): Promise<string | undefined>;

  probeHttp(port: number, path: string, timeoutMs: number): Promise<{ status: number } | { error: string }>;
  probeTcp(port: number, timeoutMs: number): Promise<{ ok: true } | { error: string }>;
  /** A port that is free now. */
  choosePort(): Promise<number>;
  /** undefined when the port is free; else who has it, as far as that can be seen: `nginx (pid 12)`, `another program`. */
  portHolder(port: number): Promise<string | undefined>;

  /** Fetches to a file; the file is there only when its bytes hash to `sha256`. */
  download(fetch: { url: string; to: string; sha256: string; signal: AbortSignal }): Promise<Fetched>;
  /** SHA-256 of its contents; undefined when there is no such file. Asking again costs little while it stays as it is. */
  hashFile(path: string): Promise<string | undefined>;
  /** Unpacks a .tar or a gzipped one (told by its first bytes) into an existing folder, or changes nothing outside of it. */
  unpack(archive: string, folder: string): Promise<{ ok: true } | { error: string }>;
}

export type SignalName = "TERM" | "KILL" | "STOP" | "CONT" | "INT" | "QUIT" | "HUP" | "USR1" | "USR2";
export type Fetched = { ok: true; bytes: number } | {
  ok: false;
  wrongSha256: boolean;
  retryable: boolean;
  error: string;
};

export interface ShortRun {
  command: string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  user?: string | undefined;
  timeoutMs: number;
}

export interface ProcessStart {
  /** The keeper's own: one process per folder, ever. Made when it is not there. */
  folder: string;
  /** An argument vector. A name without a slash is looked up on the PATH of `env`. */
  command: string[];
  cwd: string;
  /** The whole environment. */
  env: Readonly<Record<string, string>>;
  user?: string | undefined;
  /** How much output stays on disk, in steps of 1 MiB; the oldest goes first. */
  keepBytes: number;
}

/** A program in a unit of its own: limits, restarts and the start at boot are systemd's. Its keeper's folder is `run/`. */
export interface UnitPlan {
  name: string;
  description: string;
  /** Of the slot; also says whose the unit is. */
  folder: string;
  cwd: string;
  limits?: { memoryBytes?: number | undefined; cpu?: number | undefined } | undefined;
  restart: { policy: "always" | "on-failure" | "never"; count: number; windowSeconds: number };
  stop: { signal: string; graceSeconds: number };
}
export interface UnitStart extends UnitPlan {
  command: string[];
  env: Readonly<Record<string, string>>;
  user?: string | undefined;
  keepBytes: number;
}
export interface UnitState {
  /** In systemd's words: `active`, `activating`, `failed`, ... and `running`, `auto-restart`, ... */
  active: string;
  sub: string;
  restarts: number;
  isEnabled: boolean;
  /** Files that change it beside its own, such as `systemctl edit` makes. */
  overrides: string;
  /** Its file as it is. */
  text: string;
}
export interface Units {
  /** The first of these names that is free, or this folder's already. */
  chooseName(folder: string, names: string[]): Promise<string>;
  start(start: UnitStart): Promise<KeptProcess>;
  /** It comes back at boot. */
  enable(name: string): Promise<void>;
  /** Ends all that runs in it, and the unit; nothing happens when it is not this folder's. */
  remove(name: string, folder: string, graceSeconds: number): Promise<void>;
  look(name: string): Promise<UnitState | undefined>;
  /** Its file as it should be. */
  expected(plan: UnitPlan): string;
}

export interface Ended {
  /** 128 + n when signal n ended it; null when nobody saw it end: the machine restarted, or its keeper was killed. */
  code: number | null;
}

export interface OutputPart {
  bytes: Uint8Array;
  /** Where to go on after these bytes: grows, counts nothing, below 2^44. */
  position: number;
  /** What is missing right before these bytes, because the cap or a full disk took it; null when it cannot be counted. */
  lostBytes: number | null;
}

export interface KeptProcess {
  readonly folder: string;
  readonly pid: number;
  /** The container that it is: what it started lives and is held still with it. */
  readonly container?: string;
  readonly ended: Promise<Ended>;
  hasEnded(): boolean;
  /** Its output from a position on, as it comes. Ends when the output does, or, after `stop`, with what is there by then. */
  follow(from: number, stop: AbortSignal): AsyncIterable<OutputPart>;
  lastLines(count: number): Promise<string[]>;
  /** The last lines, as far as they are kept and not too long, and then as `follow` does. */
  followLast(lines: number, stop: AbortSignal): AsyncIterable<OutputPart>;
  /** Stops watching for its end: `ended` then stays open, the program runs on. */
  forget(): void;
  /** To its whole group, and only while it is still this very process. */
  signal(signal: SignalName): Promise<void>;
}

export interface MachineFiles {
  /** undefined when there is no such file. */
  readText(path: string): Promise<string | undefined>;
  /** Whole or not at all, and durable when it returns. */
  writeText(path: string, text: string, mode: number): Promise<void>;
  makeFolder(path: string, mode?: number): Promise<void>;
  /** Names in a folder; empty when there is none. */
  list(folder: string): Promise<string[]>;
  /** A file or a folder with all in it; nothing happens when it is not there. */
  remove(path: string): Promise<void>;
  /** Durable when it returns. */
  rename(from: string, to: string): Promise<void>;
  copy(from: string, to: string, mode: number | undefined): Promise<void>;
  isFile(path: string): Promise<boolean>;
  isExecutable(path: string): Promise<boolean>;
  /** Where a link points; undefined when there is no link. */
  readLink(path: string): Promise<string | undefined>;
  /** RFC 3339; undefined when there is no such file. */
  modifiedAt(path: string): Promise<string | undefined>;
  /** What a path is after every link; undefined when there is nothing. */
  lookAt(path: string): Promise<{ path: string; kind: "file" | "folder" | "device" | "socket" | "other" } | undefined>;
  /** Points a link at a target in one step: who looks sees the old or the new one. */
  pointLink(link: string, target: string): Promise<void>;
}
