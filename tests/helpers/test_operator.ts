/** An operator whose every run is in the test's hand. */
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { Operator, RunContext } from "../../operators/operator.ts";

export interface TestRun {
  operation: Operation;
  context: RunContext;
  end(outcome?: OutcomeInput): void;
}

export function createTestOperator(act?: (run: TestRun) => Promise<OutcomeInput | void>) {
  const runs: TestRun[] = [];
  /** `suspend t`, `resume t`, in order. */
  const calls: string[] = [];
  const operator: Operator = {
    kind: "test",
    run: (operation, context) =>
      new Promise((resolve, reject) => {
        const end = (outcome: OutcomeInput = { status: "success", message: "Done." }) => resolve(outcome);
        const run = { operation, context, end };
        runs.push(run);
        act?.(run).then((outcome) => outcome && resolve(outcome), reject);
      }),
    async suspend(taskId) {
      calls.push(`suspend ${taskId}`);
    },
    async resume(taskId) {
      calls.push(`resume ${taskId}`);
    },
    async *observe() {
      yield {
        application: "order",
        environmentId: "environment",
        target: "here",
        version: "v1",
        health: "healthy",
        resources: [],
        differences: [],
        details: {},
      };
    },
    async output({ application }) {
      if (application !== "order") return undefined;
      async function* parts() {
        yield { bytes: new TextEncoder().encode("last line\n"), lostBytes: 0 };
      }
      return { secrets: [], parts: parts() };
    },
  };
  return { operator, runs, calls };
}

/** An operator that says nothing more until it is told to stop. */
export const untilStopped = (context: RunContext): Promise<void> =>
  new Promise((resolve) => context.signal.addEventListener("abort", () => resolve(), { once: true }));
