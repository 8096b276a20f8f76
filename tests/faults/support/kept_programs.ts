/**
 * Programs that outlive the agent that started them, as those of a machine do under their keepers: each attempt starts
 * one, once, in a ledger; an agent that comes back follows it further; the next attempt ends what an older one left.
 */
import type { OutcomeInput } from "../../../protocol/operation.ts";
import type { Operator, RunContext } from "../../../operators/operator.ts";
import { stoppedOutcome } from "../../../operators/stopped.ts";
import type { LedgerLine } from "../../helpers/ledger_app.ts";

interface Program {
  text: string;
  lines: string[];
  ended: boolean;
  held: boolean;
  timer?: ReturnType<typeof setInterval>;
  /** Resolves at the next line or the end. */
  next: PromiseWithResolvers<void>;
}

export interface KeptPrograms {
  /** An operator of kind `mock` over these programs; every life of an agent gets one of its own. */
  operator(): Operator;
  ledger: LedgerLine[];
  /** What the program of an attempt has printed. */
  printed(task: string, attempt: number): string;
  /** Programs that run. */
  running(): number;
  endAll(): void;
}

/** @param script lines and milliseconds between them, by the application's name; null runs until it is stopped */
export function createKeptPrograms(script: (app: string) => { lines: number | null; everyMs: number }): KeptPrograms {
  const programs = new Map<string, Program>();
  const ledger: LedgerLine[] = [];
  const keyOf = (task: string, attempt: number) => `${task}.${attempt}`;
  const note = (what: LedgerLine["what"], { taskId: task, attempt, fence }: RunContext) =>
    ledger.push({ what, task, attempt, fence, at: process.hrtime.bigint() });

  function end(program: Program) {
    program.ended = true;
    clearInterval(program.timer);
    program.next.resolve();
  }
  function start(app: string, context: RunContext): Program {
    const { lines, everyMs } = script(app);
    const program: Program = { text: "", lines: [], ended: false, held: false, next: Promise.withResolvers() };
    programs.set(keyOf(context.taskId, context.attempt), program);
    note("start", context);
    program.timer = setInterval(() => {
      if (program.held) return;
      if (lines !== null && program.lines.length >= lines) {
        note("end", context);
        return end(program);
      }
      program.lines.push(`line ${program.lines.length + 1} of ${app}, attempt ${context.attempt}\n`);
      program.text += program.lines.at(-1);
      const { resolve } = program.next;
      program.next = Promise.withResolvers();
      resolve();
    }, everyMs);
    return program;
  }

  async function follow(app: string, context: RunContext): Promise<OutcomeInput> {
    for (const [key, other] of programs) {
      if (key.startsWith(`${context.taskId}.`) && key !== keyOf(context.taskId, context.attempt)) end(other);
    }
    let program = programs.get(keyOf(context.taskId, context.attempt));
    if (!program) {
      context.signal.throwIfAborted();
      await context.trusted();
      program = start(app, context);
    }
    const stop = () => end(program);
    context.signal.addEventListener("abort", stop);
    if (context.signal.aborted) stop();
    for (let at = context.logPosition; !context.signal.aborted;) {
      while (at < program.lines.length && !context.signal.aborted) await context.log(program.lines[at++]!, at);
      if (program.ended) break;
      await program.next.promise;
    }
    context.signal.throwIfAborted();
    return { status: "success", message: `${app} is deployed.` };
  }

  return {
    ledger,
    printed: (task, attempt) => programs.get(keyOf(task, attempt))?.text ?? "",
    running: () => [...programs.values()].filter((program) => !program.ended).length,
    endAll: () => programs.forEach(end),
    operator() {
      const hold = (taskId: string, held: boolean) => {
        for (const [key, program] of programs) if (key.startsWith(`${taskId}.`)) program.held = held;
        return Promise.resolve();
      };
      return {
        kind: "mock",
        async run(operation, context) {
          try {
            return await follow(operation.app, context);
          } catch (error: unknown) {
            if (!context.signal.aborted) throw error;
            return stoppedOutcome(context.signal, `The program of ${operation.app} has been ended.`);
          }
        },
        suspend: (taskId) => hold(taskId, true),
        resume: (taskId) => hold(taskId, false),
        async *observe() {},
      };
    },
  };
}
