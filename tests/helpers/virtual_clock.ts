/** A clock that only moves when told to, and lets everything that a timer set off finish before the next one fires. */
import type { Clock } from "../../domain/ports.ts";

export interface VirtualClock extends Clock {
  /** Moves on, firing what falls due in its order. */
  advance(milliseconds: number): Promise<void>;
  /** Lets what is under way come to rest without moving on. */
  settle(): Promise<void>;
  /** Timers that wait. */
  readonly waiting: number;
}

/** Turns of the event loop after which memory-only work, however chained, is at rest. */
const TURNS = 8;

export function createVirtualClock(startAt = "2026-01-01T00:00:00.000Z"): VirtualClock {
  let elapsed = 0;
  let order = 0;
  const timers = new Set<{ at: number; order: number; call: () => void }>();
  const settle = async () => {
    for (let turn = 0; turn < TURNS; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const next = (until: number) =>
    [...timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at || a.order - b.order)[0];

  return {
    now: () => new Date(Date.parse(startAt) + elapsed),
    monotonic: () => elapsed,
    after(milliseconds, call) {
      const timer = { at: elapsed + Math.max(0, milliseconds), order: order++, call };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    async advance(milliseconds) {
      const until = elapsed + milliseconds;
      await settle();
      for (let timer = next(until); timer; timer = next(until)) {
        timers.delete(timer);
        elapsed = Math.max(elapsed, timer.at);
        timer.call();
        await settle();
      }
      elapsed = until;
    },
    settle,
    get waiting() {
      return timers.size;
    },
  };
}
