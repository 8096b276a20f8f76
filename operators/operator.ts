/**
 * The contract of everything that acts on an environment. A new kind of environment is one folder that implements this
 * and passes `conformance.ts`; no core file changes.
 */
import type { Observed, Present } from "../protocol/observed.ts";
import type { Operation, OutcomeInput } from "../protocol/operation.ts";

export type { Difference, Observed, Resource } from "../protocol/observed.ts";

/** What a running task may use. An operator knows nothing of sockets, leases or where it runs. */
export interface RunContext {
  taskId: string;
  attempt: number;
  /** Grows with every lease of the task; handed to what is deployed, so that it can refuse an older one. */
  fence: number;
  /** Unsealed values of `operation.spec.secrets`. Never logged: the log masks them anyway. */
  secrets: Readonly<Record<string, string>>;
  /** Aborted by a cancel, a lost lease or the timeout; `signal.reason` is a `StopReason`. */
  signal: AbortSignal;
  /**
   * This attempt began before the agent restarted: adopt what still runs instead of starting it again, and let it go on
   * once the lease is trusted, because the agent before may have held it still.
   */
  resumed: boolean;
  /**
   * Appends to the task's log, bytes as they are; resolves when they are spooled to disk. `position` is how far into its
   * source (an output file) the operator has read; after a restart `logPosition` is the last one that was spooled.
   */
  log(data: string | Uint8Array, position?: number): Promise<void>;
  logPosition: number;
  /** A small JSON value that survives a crash of the agent; `saved` is the last one of this attempt. */
  save(state: unknown): Promise<void>;
  saved: unknown;
  /** Resolves at once while the lease is trusted, waits while it is not, rejects when the work must stop. Call it before every step that changes the machine. */
  trusted(): Promise<void>;
  /** Fetches a blob of the operation from the master into the agent's cache and returns its path; verified by sha256. */
  fetchBlob(sha256: string): Promise<string>;
}

export class StopReason extends Error {
  override readonly name = "StopReason";
  constructor(
    /** `cancel`: a person; `lost`: the lease is someone else's; `timeout`: too long; `shutdown`: the agent ends and wants the work stopped. */
    readonly kind: "cancel" | "lost" | "timeout" | "shutdown",
    message: string,
    readonly graceSeconds: number,
  ) {
    super(message);
  }
}

export interface Target {
  id: string;
  name: string;
  labels: Readonly<Record<string, string>>;
}

/** What a running application prints. */
export interface AppOutput {
  /** Values that must not be shown. */
  secrets: readonly string[];
  /** `lostBytes`: what is missing right before; null when it cannot be counted. */
  parts: AsyncIterable<{ bytes: Uint8Array; lostBytes: number | null }>;
}

export interface Operator {
  /** `mock`, `pm`, `k8s`, or yours. */
  readonly kind: string;
  /**
   * Acts. Safe to run twice under a newer fence; ends by returning, also for a failure. Throws only what it did not
   * foresee, which the runtime reports as a failure that may be tried again.
   */
  run(operation: Operation, context: RunContext): Promise<OutcomeInput>;
  /** Why it will not do this at all, whatever happens: said before anything is taken on. */
  refuses?(operation: Operation): string | undefined;
  /** Holds a running task still (SIGSTOP) while the lease is not trusted, and lets it go on. */
  suspend?(taskId: string): Promise<void>;
  resume?(taskId: string): Promise<void>;
  /** What runs now, for drift. With `wants`, no more is asked for than what it says yes to; telling more does no harm. */
  observe(wants?: (place: Present) => boolean): AsyncIterable<Observed>;
  /** Calls when something that `observe` tells is likely to have changed. @returns how to leave */
  onChange?(call: () => void): () => void;
  /**
   * What an application printed last, and what it prints until `stop`; when that is aborted already, no more than there
   * is. undefined when it does not run here, or nothing that it prints is kept.
   */
  output?(of: Present, lines: number, stop: AbortSignal): Promise<AppOutput | undefined>;
  /** Called once when the agent starts, before any task: bring back what should run. */
  start?(): Promise<void>;
  /** Called once when the agent ends; what is deployed keeps running. */
  stop?(): Promise<void>;
}
