/**
 * One attempt of one task, from the first trusted moment to the operator's word.
 *
 *   waiting --trusted--> running <--trust ends, comes back--> suspended
 *      '---- stop (cancel, lost, timeout, shutdown): the operator is told and has the last word ----> ended
 *
 * The outcome is given only when `operator.run` has returned: nothing is called cancelled that may still act. A detached
 * slot (the agent ends, the work goes on) holds its operator still for ever and never ends; the next agent adopts it.
 */
import type { Clock, Logger, Timer } from "../domain/ports.ts";
import { type Operator, type RunContext, StopReason } from "../operators/operator.ts";
import type { Dispatch } from "../protocol/agent_messages.ts";
import type { OutcomeInput } from "../protocol/operation.ts";

/** Seconds a timed-out task gets to end in order. */
const TIMEOUT_GRACE_SECONDS = 10;

export type RunParts =
  & Pick<RunContext, "log" | "logPosition" | "save" | "saved" | "fetchBlob" | "secrets" | "resumed">
  & { startedAt: string };

export interface TaskSlot {
  readonly state: "running" | "suspended";
  /** The lease is someone else's: what still ends here takes no place that the master counts. */
  readonly lost: boolean;
  /** Waits for trust, runs, and gives the outcome; undefined when it was lost, and so is no longer ours to tell. */
  run(parts: RunParts): Promise<OutcomeInput | undefined>;
  /** The first reason counts. */
  stop(reason: StopReason): void;
  suspend(): void;
  /** Trust is back, or goes on. */
  resume(): void;
  detach(): void;
}

export interface TaskSlotOptions {
  dispatch: Dispatch;
  operator: Operator;
  clock: Clock;
  logger: Logger;
  isTrusted(): boolean;
}

export function createTaskSlot(options: TaskSlotOptions): TaskSlot {
  const { dispatch, operator, clock, logger } = options;
  const { taskId, operation } = dispatch;
  const controller = new AbortController();
  const stopped = () => controller.signal.aborted ? controller.signal.reason as StopReason : undefined;
  let begun = false;
  let suspended = false;
  let detached = false;
  let waiters: { resolve(): void; reject(error: Error): void }[] = [];
  /** Suspending and resuming reach the operator one after the other, in the order they were decided. */
  let turn: Promise<void> = Promise.resolve();

  const forEver = <T>() => new Promise<T>(() => {});

  function trusted(): Promise<void> {
    if (detached) return forEver();
    const reason = stopped();
    if (reason) return Promise.reject(reason);
    if (!suspended && options.isTrusted()) return Promise.resolve();
    return new Promise((resolve, reject) => waiters.push({ resolve, reject }));
  }

  function tell(what: "suspend" | "resume") {
    if (!begun || !operator[what]) return;
    turn = turn.then(() => operator[what]!(taskId)).catch((error: unknown) => {
      logger.log("ERROR", `The operator could not ${what} the task; stopping it.`, { taskId, error: String(error) });
      // What cannot be held still must not go on without a lease.
      stop(new StopReason("lost", `It could not be ${what}ed.`, 0));
    });
  }

  function stop(reason: StopReason) {
    if (detached || stopped()) return;
    controller.abort(reason);
    for (const waiter of waiters.splice(0)) waiter.reject(reason);
  }

  function watchTimeout(startedAt: string): Timer | undefined {
    const seconds = operation.timeoutSeconds;
    if (seconds === null) return undefined;
    // The wall clock only bridges a restart of the agent; a step of it can at worst make the attempt a timeout longer.
    const spent = Math.min(Math.max(0, clock.now().getTime() - Date.parse(startedAt)), seconds * 1000);
    return clock.after(seconds * 1000 - spent, () => {
      stop(new StopReason("timeout", `It took longer than ${seconds} s.`, TIMEOUT_GRACE_SECONDS));
    });
  }

  async function run(parts: RunParts): Promise<OutcomeInput | undefined> {
    const { startedAt, ...given } = parts;
    const timeout = watchTimeout(startedAt);
    try {
      await trusted().catch((reason: unknown) => {
        // What an earlier process left running has to be stopped by its operator, which finds the signal aborted.
        if (!parts.resumed) throw reason;
      });
      begun = true;
      const outcome = await operator.run(operation, {
        ...given,
        taskId,
        attempt: dispatch.attempt,
        fence: dispatch.fence,
        signal: controller.signal,
        log: (data, position) => detached ? forEver() : given.log(data, position),
        save: (state) => detached ? forEver() : given.save(state),
        trusted,
      });
      return detached ? await forEver() : ending(outcome, stopped());
    } catch (error: unknown) {
      if (detached) return await forEver();
      const reason = stopped();
      if (!reason) logger.log("ERROR", "The operator failed unexpectedly.", { taskId, error: String(error) });
      const message = error instanceof Error ? error.message : String(error);
      return ending({ status: "failed", code: "operator.crashed", message, retryable: true }, reason);
    } finally {
      timeout?.cancel();
    }
  }

  return {
    get state() {
      return suspended ? "suspended" : "running";
    },
    get lost() {
      return stopped()?.kind === "lost";
    },
    run,
    stop,
    suspend() {
      if (suspended || detached) return;
      suspended = true;
      logger.log("WARN", "The lease can no longer be trusted; the task is held still.", { taskId });
      tell("suspend");
    },
    resume() {
      if (detached) return;
      if (suspended) {
        suspended = false;
        logger.log("INFO", "The lease is trusted again; the task goes on.", { taskId });
        tell("resume");
      }
      for (const waiter of waiters.splice(0)) waiter.resolve();
    },
    detach() {
      detached = true;
      waiters = [];
    },
  };
}

/** What the operator said, in the light of why it was stopped. Success stays: the work was done before the word came. */
function ending(outcome: OutcomeInput, reason: StopReason | undefined): OutcomeInput | undefined {
  if (!reason || (outcome.status === "success" && reason.kind !== "lost")) return outcome;
  const message = outcome.message.includes(reason.message) ? outcome.message : `${reason.message} ${outcome.message}`;
  switch (reason.kind) {
    case "lost":
      return undefined;
    case "cancel":
      return { ...outcome, status: "cancelled", code: "task.cancelled", message, retryable: false };
    case "timeout":
      return { ...outcome, status: "failed", code: "task.timeout", message };
    case "shutdown":
      return { ...outcome, status: "failed", code: "agent.shutdown", message, retryable: true };
  }
}
