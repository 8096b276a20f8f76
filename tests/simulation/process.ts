/**
 * A process that may stand still and may die, and its clocks. Everything from outside comes in through `enter`: a paused
 * process finds it when it wakes, a dead one never. What code of a dead process still does reaches nobody, because every
 * port it was given asks `alive` first: so a process can die in the middle of anything.
 */
import type { Clock } from "../../domain/ports.ts";
import type { Random } from "./random.ts";
import type { Timeline } from "./timeline.ts";

/** Seconds since it was switched on, at its own pace, and a wall clock that people may set. */
export interface MachineClock {
  rate: number;
  wallOffset: number;
}

export class Process {
  alive = true;
  paused = false;
  #waiting: { source: "timer" | "outside"; call: () => void }[] = [];
  constructor(
    readonly name: string,
    readonly timeline: Timeline,
    readonly random: Random,
    readonly machine: MachineClock,
    readonly onError: (error: unknown) => void,
  ) {}

  enter(call: () => void, source: "timer" | "outside" = "outside"): void {
    if (!this.alive) return;
    if (this.paused) return void this.#waiting.push({ source, call });
    try {
      call();
    } catch (error: unknown) {
      this.onError(error);
    }
  }

  pause(): void {
    this.paused = true;
  }

  /** What has come meanwhile is there at once: its timers before its sockets, or after them. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    const first = this.random.pick(["timer", "outside"] as const);
    const ordered = [...waiting.filter((w) => w.source === first), ...waiting.filter((w) => w.source !== first)];
    for (const { call } of ordered) this.timeline.after(0, () => this.enter(call));
  }

  die(): void {
    this.alive = false;
    this.#waiting = [];
  }

  /** A promise that is settled from outside, and never in a dead process. */
  wait<T>(begin: (settle: { resolve(value: T): void; reject(error: Error): void }) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.alive) return;
      begin({
        resolve: (value) => this.enter(() => resolve(value)),
        reject: (error) => this.enter(() => reject(error)),
      });
    });
  }

  readonly clock: Clock = {
    now: () => new Date(EPOCH + this.timeline.now + this.machine.wallOffset),
    monotonic: () => this.timeline.now * this.machine.rate,
    after: (milliseconds, call) => {
      if (!this.alive) return { cancel() {} };
      let cancelled = false;
      const timer = this.timeline.after(
        milliseconds / this.machine.rate,
        () => this.enter(() => cancelled ? undefined : call(), "timer"),
      );
      return {
        cancel() {
          cancelled = true;
          timer.cancel();
        },
      };
    },
  };
}

const EPOCH = Date.parse("2030-01-01T00:00:00Z");
