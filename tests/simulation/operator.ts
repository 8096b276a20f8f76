/**
 * Acts as an operator must (operators/operator.ts): finds the work of its attempt again after a restart, ends what
 * another attempt left here before it begins, asks for trust before each step, and is told to hold still and to stop.
 */
import type { OutcomeInput } from "../../protocol/operation.ts";
import type { Operator, RunContext, StopReason } from "../../operators/operator.ts";
import { graceOf, stoppedOutcome } from "../../operators/stopped.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { Work } from "./work.ts";

export interface OperatorParts {
  process: Process;
  random: Random;
  /** Of this machine, the work that has not been forgotten. */
  work: Set<Work>;
  begin(context: RunContext, inside: boolean): Work;
  /** This attempt's last word, as the operator gives it. */
  onOutcome(context: RunContext, outcome: OutcomeInput, work: Work | undefined): void;
  onRuns(running: number): void;
}

export function createOperator(parts: OperatorParts): Operator {
  const { process, random, work } = parts;
  const running = new Set<RunContext>();
  /** What is lost takes no place any more that a master counts, while it still ends. */
  const isCounted = ({ signal }: RunContext) => !(signal.aborted && (signal.reason as StopReason).kind === "lost");
  const noteRuns = () => parts.onRuns([...running].filter(isCounted).length);
  /** A signal, a system call: things take a moment. */
  const moment = () =>
    process.wait<void>(({ resolve }) => void process.timeline.after(random.between(0.1, 20), resolve));
  const workOf = (taskId: string) => [...work].filter((one) => one.taskId === taskId);

  /** What a dead process would still do is never done. */
  const living = () => process.alive ? Promise.resolve() : new Promise<never>(() => {});

  async function stop(one: Work, graceMs: number): Promise<void> {
    await moment();
    if (graceMs > 0 && one.isAtIt) {
      await process.wait<void>(({ resolve }) => void process.timeline.after(random.between(0, graceMs), resolve));
    }
    one.end();
  }

  /** Output as it comes, until all of it is spooled and the work has ended, or somebody wants it to end. */
  async function follow(one: Work, context: RunContext): Promise<void> {
    const bytes = new TextEncoder();
    let position = context.logPosition;
    while (true) {
      const all = bytes.encode(one.output);
      if (all.length > position) {
        const from = position;
        position = all.length;
        await context.log(all.subarray(from), position);
      } else if (one.state === "ended") return;
      else if (context.signal.aborted) await stop(one, graceOf(context.signal) * 1000);
      else {
        await new Promise<void>((resolve) => {
          one.onChange = () => process.enter(resolve);
          context.signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    }
  }

  async function act(context: RunContext, inside: boolean): Promise<[OutcomeInput, Work | undefined]> {
    let own = workOf(context.taskId).find((one) => one.fence === context.fence);
    if (context.signal.aborted && !own) return [stoppedOutcome(context.signal, "It had not begun."), undefined];
    if (!own && context.resumed && context.saved !== null) {
      return [{ status: "failed", message: "The work is gone.", code: "work.gone", retryable: true }, undefined];
    }
    for (const other of workOf(context.taskId)) {
      if (other === own) continue;
      await context.trusted();
      await stop(other, 0);
      work.delete(other);
    }
    if (!own) {
      // Noted first: what dies with the machine, or with the agent, before it is noted would be begun twice.
      await context.save({ begun: true });
      await context.trusted();
      await living();
      own = parts.begin(context, inside);
    }
    // The process before this one may have died while it held it still.
    if (context.resumed && own.state === "held" && process.alive) own.goOn();
    await follow(own, context);
    if (own.outcome) return [own.outcome, own];
    if (context.signal.aborted) return [stoppedOutcome(context.signal, "It was stopped."), own];
    return [{ status: "failed", message: "The work was ended from outside.", retryable: true }, own];
  }

  return {
    kind: "simulated",
    async run(operation, context) {
      await living();
      running.add(context);
      noteRuns();
      try {
        const [outcome, own] = await act(context, operation.target === null);
        await living();
        parts.onOutcome(context, outcome, own);
        return outcome;
      } finally {
        running.delete(context);
        noteRuns();
      }
    },
    async suspend(taskId) {
      await moment();
      for (const one of workOf(taskId)) one.hold();
    },
    async resume(taskId) {
      await moment();
      for (const one of workOf(taskId)) one.goOn();
    },
    async *observe() {},
    async stop() {
      for (const one of work) if (one.inside) one.end();
    },
  };
}
