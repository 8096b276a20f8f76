/** What an operator answers when the runtime told it to stop. */
import type { Clock } from "../domain/ports.ts";
import type { OutcomeInput } from "../protocol/operation.ts";
import { StopReason } from "./operator.ts";

export const DEFAULT_GRACE_SECONDS = 10;

export const graceOf = (signal: AbortSignal): number =>
  signal.reason instanceof StopReason ? signal.reason.graceSeconds : DEFAULT_GRACE_SECONDS;

/** `what` says what became of the work: "The order script was stopped." */
export function stoppedOutcome(signal: AbortSignal, what: string): OutcomeInput {
  const reason: unknown = signal.reason;
  const why = reason instanceof Error ? reason.message : "stopped";
  const message = `${why.replace(/\.?$/, ".")} ${what}`;
  if (!(reason instanceof StopReason)) return { status: "cancelled", message, code: "task.cancelled" };
  switch (reason.kind) {
    case "cancel":
      return { status: "cancelled", message, code: "task.cancelled" };
    case "lost":
      return { status: "cancelled", message, code: "task.lost" };
    case "timeout":
      return { status: "failed", message, code: "task.timeout" };
    case "shutdown":
      return { status: "failed", message, code: "agent.shutdown", retryable: true };
  }
}

/** Waits on the clock; ends early, without an error, when the signal is aborted. */
export function wait(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = clock.after(milliseconds, end);
    signal?.addEventListener("abort", end);
  });
}

/** Resolves when the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })
  );
