/**
 * What the docker mode needs of a container engine, in the words of the Engine API; `host/docker_engine.ts` is the real
 * one, joined by shape in `compose/`. A call that the engine refuses, or that does not reach it, throws an `EngineError`.
 */
export interface Engine {
  /** Its version, when it answers. */
  version(): Promise<string>;
  findImage(address: string): Promise<ImageFacts | undefined>;
  /** Ends when the image is there whole. `login` goes to the engine with this call and is kept by nobody. */
  pullImage(address: string, options: PullOptions): Promise<void>;
  /** Takes the name away, and the layers that nothing else needs; false when a container still uses it. */
  removeImage(address: string): Promise<boolean>;

  createContainer(name: string, body: ContainerBody): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** By id or name. */
  findContainer(id: string): Promise<ContainerFacts | undefined>;
  setRestartPolicy(id: string, policy: RestartPolicyBody): Promise<void>;
  /** Resolves when it does not run any more, or rejects when the engine goes away meanwhile. */
  waitForEnd(id: string, signal: AbortSignal): Promise<void>;
  /** Output and errors as they came, oldest first. */
  readOutput(id: string, options: OutputOptions): AsyncIterable<Uint8Array>;
  signalContainer(id: string, signal: string): Promise<void>;
  pauseContainer(id: string): Promise<void>;
  unpauseContainer(id: string): Promise<void>;
  /** Its stop signal, then KILL after the grace. */
  stopContainer(id: string, graceSeconds: number): Promise<void>;
  /** Nothing happens when it is gone. */
  removeContainer(id: string): Promise<void>;
  /** Runs a program inside; `code` is null when the time was up first. */
  runInside(id: string, command: string[], timeoutMs: number): Promise<{ code: number | null; output: string }>;
}

export interface PullOptions {
  login: { username: string; password: string; registry: string } | undefined;
  signal: AbortSignal;
  onProgress(event: PullEvent): void;
}
/** One line of the engine's account. */
export interface PullEvent {
  status: string;
  layer: string | undefined;
  current: number | undefined;
  total: number | undefined;
}
export interface OutputOptions {
  follow: boolean;
  /** The last so many lines; all without it. */
  tail?: number | undefined;
  signal: AbortSignal;
}

export interface ImageFacts {
  Id: string;
  Size: number;
}

export interface RestartPolicyBody {
  Name: "no" | "on-failure" | "unless-stopped";
  MaximumRetryCount: number;
}
export type PortBindings = Record<string, { HostIp: string; HostPort: string }[]>;
export interface MountBody {
  Type: "bind" | "volume";
  Source: string;
  Target: string;
  ReadOnly: boolean;
}

/** `POST /containers/create`, as far as Boreas uses it: what is not here cannot be asked for. */
export interface ContainerBody {
  Image: string;
  Cmd?: string[];
  Env: string[];
  Labels: Record<string, string>;
  ExposedPorts: Record<string, Record<string, never>>;
  StopSignal: string;
  StopTimeout: number;
  HostConfig: {
    PortBindings: PortBindings;
    Mounts: MountBody[];
    RestartPolicy: RestartPolicyBody;
    Memory?: number;
    MemorySwap?: number;
    NanoCpus?: number;
    LogConfig: { Type: "json-file"; Config: Record<string, string> };
  };
}

/** `GET /containers/{id}/json`, as far as Boreas reads it. */
export interface ContainerFacts {
  Id: string;
  Name: string;
  Image: string;
  RestartCount: number;
  State: {
    Status: string;
    Running: boolean;
    Paused: boolean;
    Restarting: boolean;
    Pid: number;
    ExitCode: number;
    OOMKilled: boolean;
    StartedAt: string;
  };
  Config: { Image: string; Cmd: string[] | null; Env: string[] | null; Labels: Record<string, string> };
  HostConfig: {
    PortBindings?: unknown;
    Memory?: number | undefined;
    NanoCpus?: number | undefined;
    Privileged?: boolean | undefined;
    NetworkMode?: string | undefined;
    PidMode?: string | undefined;
    CapAdd?: string[] | null | undefined;
  };
  Mounts: { Type: string; Name?: string; Source: string; Destination: string; RW: boolean }[];
}

/** How `host/docker_engine.ts` marks what it throws. No status: the engine was not reached. */
export interface EngineError extends Error {
  name: "EngineError";
  status: number | undefined;
}
export const isEngineError = (error: unknown): error is EngineError =>
  error instanceof Error && error.name === "EngineError";
