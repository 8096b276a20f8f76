/**
 * What is really done, outside of Boreas: pieces of work on machines, their output, and the ledger of when each was at
 * it. Work that stands still (held, or its machine paused) is not at it.
 *
 *   begun -> at it <-> held -> ended (by itself, stopped, or with its machine)
 */
import type { OutcomeInput } from "../../protocol/operation.ts";
import type { Random } from "./random.ts";
import type { Timeline, Timer } from "./timeline.ts";

export interface WorkPlan {
  /** Milliseconds until it ends by itself; Infinity for work that hangs. */
  duration: number;
  /** What it prints, and after how much work. */
  output: { after: number; text: string }[];
  outcome: OutcomeInput;
}

export interface Ledger {
  begun(work: Work): void;
  /** It is at it from now on: nobody else may be. */
  atIt(work: Work): void;
}

export class Work {
  output = "";
  state: "at it" | "held" | "ended" = "held";
  /** Set when it ended by itself. */
  outcome: OutcomeInput | undefined;
  /** Something was printed, or it has ended. */
  onChange = () => {};
  /** The machine stands still. */
  frozen = false;
  #done = 0;
  #since = 0;
  #timer: Timer | undefined;

  constructor(
    readonly taskId: string,
    readonly attempt: number,
    readonly fence: number,
    readonly machine: string,
    /** It dies and stands still with the agent's process; otherwise it is a process of its own. */
    readonly inside: boolean,
    readonly plan: WorkPlan,
    readonly timeline: Timeline,
    readonly ledger: Ledger,
  ) {
    ledger.begun(this);
    this.goOn();
  }

  get isAtIt(): boolean {
    return this.state === "at it" && !this.frozen;
  }
  hold(): void {
    if (this.state !== "at it") return;
    this.#stand();
    this.state = "held";
  }
  goOn(): void {
    if (this.state !== "held") return;
    this.state = "at it";
    this.#move();
  }
  freeze(): void {
    if (this.isAtIt) this.#stand();
    this.frozen = true;
  }
  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    this.#move();
  }
  end(outcome?: OutcomeInput): void {
    if (this.state === "ended") return;
    this.#stand();
    this.state = "ended";
    this.outcome = outcome;
    this.onChange();
  }

  #stand(): void {
    if (this.isAtIt) this.#done += this.timeline.now - this.#since;
    this.#timer?.cancel();
  }
  #move(): void {
    if (!this.isAtIt) return;
    this.#since = this.timeline.now;
    this.ledger.atIt(this);
    this.#wait();
  }
  #wait(): void {
    const printed = this.plan.output.findIndex((line) => line.after > this.#done);
    const next = printed < 0 ? this.plan.duration : Math.min(this.plan.duration, this.plan.output[printed]!.after);
    if (next === Infinity) return;
    this.#timer = this.timeline.after(next - this.#done, () => {
      this.#done = next;
      this.#since = this.timeline.now;
      if (next >= this.plan.duration) return this.end(this.plan.outcome);
      for (const line of this.plan.output) if (line.after === next) this.output += line.text;
      this.#wait();
      this.onChange();
    });
  }
}

/** Mostly well, mostly short; now and then a long log, a failure of either kind, or no end at all. */
export function planWork(random: Random, leaseMs: number, name: string, mayHang: boolean): WorkPlan {
  const hangs = mayHang && random.happens(0.3);
  const duration = random.happens(0.5) ? random.between(1, 3) * leaseMs : random.between(0.02, 0.8) * leaseMs;
  const output = Array.from({ length: random.whole(0, 6) }, (_, line) => ({
    after: random.between(1, duration - 1),
    text: random.happens(0.03)
      ? `${name} ${line} ${"é".repeat(random.whole(10_000, 40_000))}\n`
      : `${name} line ${line} of this attempt\n`,
  })).sort((a, b) => a.after - b.after);
  const luck = random();
  const outcome: OutcomeInput = luck < 0.8
    ? { status: "success", message: "It is done." }
    : { status: "failed", message: "It broke.", retryable: luck > 0.9 };
  return { duration: hangs ? Infinity : duration, output, outcome };
}
