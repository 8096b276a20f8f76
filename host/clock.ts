import type { Clock } from "../domain/ports.ts";

/** Longest wait of one timer; beyond it the runtime fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** The machine's clocks. `monotonic` stands still while the machine itself sleeps. */
export function createClock(): Clock {
  return {
    now: () => new Date(),
    monotonic: () => performance.now(),
    after(milliseconds, call) {
      const timer = setTimeout(call, Math.min(Math.max(0, milliseconds), LONGEST_MS));
      return { cancel: () => clearTimeout(timer) };
    },
  };
}
