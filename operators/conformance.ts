/**
 * What every operator owes the runtime. Free of any test framework: a test file runs each case.
 * `fixture` says how this operator is made to do the common things; what it cannot show is left out by name.
 */
import type { Operation, OutcomeInput } from "../protocol/operation.ts";
import type { Operator, RunContext } from "./operator.ts";
import { StopReason } from "./operator.ts";

/** A context whose log can be read and whose moments are in the case's hand. */
export interface ConformanceContext extends RunContext {
  text(): string;
  bytes(): Uint8Array;
  controller: AbortController;
  /** The same attempt, as the next agent takes it up. */
  again(): ConformanceContext;
}

export interface ConformanceFixture {
  operator: Operator;
  /** The same operator as a restarted agent makes it: nothing in memory, the machine as it was left. */
  restart(): Promise<Operator>;
  context(over?: Partial<RunContext>): ConformanceContext;
  /** Prints each text, and ends well. */
  prints(texts: string[]): Promise<Operation>;
  /** Prints `up` on a line of its own and does not end before it is stopped. */
  hangs(): Promise<Operation>;
  /** Prints `up` on a line of its own, and ends well half a second later. */
  briefly(): Promise<Operation>;
  fails(): Promise<Operation>;
  /** A script of its bundle, as a hook or a gate runs it: says `hooked` and ends well, or ends badly. */
  script(ending: "well" | "badly", as: Pick<Operation, "action" | "hook" | "gate">): Promise<Operation>;
  /** How often work of this task was begun, from outside the operator. */
  starts(taskId: string): Promise<number>;
  /** Whether anything of this task, or of one attempt of it, still acts. */
  acts(taskId: string, fence?: number): Promise<boolean>;
  close(): Promise<void>;
}

export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
export const say = (outcome: OutcomeInput) => JSON.stringify(outcome);

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let looks = 0; !await condition(); looks++) {
    check(looks < 3000, `${what} did not come about within 30 s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface ConformanceCase {
  name: string;
  run(fixture: ConformanceFixture): Promise<void>;
}

/** `conformance_parts.ts` has those of a release in parts, of hooks and of gates. */
export const conformanceCases: ConformanceCase[] = [
  {
    name: "succeeds, and says so in a sentence",
    async run({ operator, context, prints }) {
      const outcome = await operator.run(await prints(["hello\n"]), context());
      check(outcome.status === "success", say(outcome));
      check(outcome.message.endsWith("."), `not a sentence: ${outcome.message}`);
    },
  },
  {
    name: "returns a failure with a code and a sentence, and does not throw it",
    async run({ operator, context, fails }) {
      const outcome = await operator.run(await fails(), context());
      check(outcome.status === "failed" && (outcome.code ?? "") !== "", say(outcome));
      check(outcome.message.endsWith("."), `not a sentence: ${outcome.message}`);
    },
  },
  {
    name: "logs in order, byte for byte",
    async run({ operator, context, prints }) {
      const lines = Array.from({ length: 500 }, (_, index) => `line ${index} æ\n`);
      const log = context();
      const outcome = await operator.run(await prints(lines), log);
      check(outcome.status === "success", say(outcome));
      check(log.text().includes(lines.join("")), `the log differs: ${log.text().slice(0, 500)}`);
    },
  },
  {
    name: "ends on cancel, and answers only when nothing acts any more",
    async run({ operator, context, hangs, acts }) {
      const log = context();
      let ended = false;
      const running = operator.run(await hangs(), log).finally(() => ended = true);
      await until(() => log.text().includes("up\n"), "the start");
      check(!ended, "it ended by itself");
      log.controller.abort(new StopReason("cancel", "Cancelled by ada.", 0.5));
      const outcome = await running;
      check(outcome.status === "cancelled" && outcome.message.includes("Cancelled by ada."), say(outcome));
      check(!await acts(log.taskId), "something still acts after the answer");
    },
  },
  {
    name: "tells a timeout and a shutdown from a cancel",
    async run({ operator, context, hangs }) {
      for (const [kind, code] of [["timeout", "task.timeout"], ["shutdown", "agent.shutdown"]] as const) {
        const log = context();
        const running = operator.run(await hangs(), log);
        await until(() => log.text().includes("up\n"), "the start");
        log.controller.abort(new StopReason(kind, `It is a ${kind}.`, 0.5));
        const outcome = await running;
        check(outcome.status === "failed" && outcome.code === code, say(outcome));
      }
    },
  },
  {
    name: "does nothing at all when it was stopped before it began",
    async run({ operator, context, prints, starts }) {
      const log = context();
      log.controller.abort(new StopReason("cancel", "Cancelled by ada.", 0));
      const outcome = await operator.run(await prints(["hello\n"]), log);
      check(outcome.status === "cancelled", say(outcome));
      check(await starts(log.taskId) === 0, "it began");
    },
  },
  {
    name: "waits before it acts while the lease is in doubt, and gives up when it is lost",
    async run({ operator, context, prints, starts }) {
      const doubt = Promise.withResolvers<void>();
      const log = context({ trusted: () => doubt.promise });
      const running = operator.run(await prints(["hello\n"]), log);
      await new Promise((resolve) => setTimeout(resolve, 300));
      check(await starts(log.taskId) === 0 && !log.text().includes("hello"), "it acted without trust");
      const lost = new StopReason("lost", "The lease is someone else's.", 0);
      log.controller.abort(lost);
      doubt.reject(lost);
      const outcome = await running;
      check(outcome.status === "cancelled" && outcome.code === "task.lost", say(outcome));
      check(await starts(log.taskId) === 0, "it acted without trust");
    },
  },
  {
    name: "runs twice, the second time under a newer fence, without harm",
    async run({ operator, context, prints }) {
      const operation = await prints(["hello\n"]);
      const first = context({ fence: 1 });
      check((await operator.run(operation, first)).status === "success", "the first failed");
      const second = context({ taskId: first.taskId, fence: 2, attempt: 2 });
      const outcome = await operator.run(operation, second);
      check(outcome.status === "success", say(outcome));
    },
  },
  {
    name: "a newer fence ends what an attempt that was torn away had left",
    async run({ operator, restart, context, hangs, prints, acts }) {
      const first = context({ fence: 1 });
      first.log = async (data) => { // the agent is killed: nothing it does has an effect any more
        await Promise.resolve(data);
        return new Promise(() => {});
      };
      void operator.run(await hangs(), first);
      await until(() => acts(first.taskId, 1), "the start");
      const second = context({ taskId: first.taskId, fence: 2, attempt: 2 });
      const outcome = await (await restart()).run(await prints(["again\n"]), second);
      check(outcome.status === "success", say(outcome));
      check(!await acts(first.taskId, 1), "the first attempt still acts");
    },
  },
  {
    name: "an attempt that is taken up again goes on: one start, and the log without gap or repetition",
    async run({ operator, restart, context, hangs, starts }) {
      const first = context();
      const running = operator.run(await hangs(), first);
      await until(() => first.text().includes("up\n"), "the start");
      // The agent is killed: from here on the first operator's word reaches nobody.
      const silent = () => new Promise<never>(() => {});
      const next = first.again();
      Object.assign(first, { log: silent, save: silent, trusted: silent });
      const resumed = (await restart()).run(await hangs(), next);
      await new Promise((resolve) => setTimeout(resolve, 300));
      check(await starts(first.taskId) === 1, `it was started ${await starts(first.taskId)} times`);
      check(!next.text().includes("up\n"), "a line was logged twice");
      next.controller.abort(new StopReason("cancel", "Cancelled by ada.", 0.5));
      const outcome = await resumed;
      check(outcome.status === "cancelled", say(outcome));
      void running;
    },
  },
  {
    name: "what was held still when the agent died goes on when it is taken up again",
    async run({ operator, restart, context, briefly }) {
      if (!operator.suspend) return; // there is nothing that it could hold still
      const first = context();
      void operator.run(await briefly(), first);
      await until(() => first.text().includes("up\n"), "the start");
      await operator.suspend(first.taskId);
      const silent = () => new Promise<never>(() => {});
      const next = first.again();
      Object.assign(first, { log: silent, save: silent, trusted: silent });
      const outcome = await Promise.race([
        (await restart()).run(await briefly(), next),
        until(() => false, "the end"),
      ]);
      check(outcome!.status === "success", say(outcome!));
    },
  },
  {
    name: "an attempt that was stopped while the agent was away is ended when it is taken up again",
    async run({ operator, restart, context, hangs, acts }) {
      const first = context();
      void operator.run(await hangs(), first);
      await until(() => first.text().includes("up\n"), "the start");
      const silent = () => new Promise<never>(() => {});
      const next = first.again();
      Object.assign(first, { log: silent, save: silent, trusted: silent });
      next.controller.abort(new StopReason("lost", "The lease is someone else's.", 0));
      const outcome = await (await restart()).run(await hangs(), next);
      check(outcome.status === "cancelled", say(outcome));
      check(!await acts(first.taskId), "it still acts");
    },
  },
  {
    name: "removes what it deployed, and removing again is no failure",
    async run({ operator, context, prints }) {
      const operation = await prints(["hello\n"]);
      await operator.run(operation, context());
      for (let times = 0; times < 2; times++) {
        const outcome = await operator.run({ ...operation, action: "remove", spec: null }, context());
        check(outcome.status === "success", say(outcome));
      }
      for await (const seen of operator.observe()) check(seen.application !== operation.app, "it is still there");
    },
  },
];
