/** What an application does of its own around its release: one script of its bundle each. */
import { AppError } from "./app_error.ts";
import type { Batching, StrategyInput } from "./strategy.ts";

export type HookName = "preDeploy" | "preSwitch" | "postDeploy" | "onRollback" | "onFailure";
export interface HookInput {
  run: string;
  /** `once` per deployment, on any agent of the environment, unless told; or on `each` machine. */
  on?: "once" | "each";
  timeout?: string;
}
export type HooksInput = Partial<Record<HookName, HookInput>>;

/** Failures that a release tolerates, of all its steps together. */
export function toleratedFailures({ maxFailures = 0, steps = [] }: StrategyInput): number {
  return steps.reduce((sum, step) => sum + ((step as Batching).maxFailures ?? 0), maxFailures);
}

export interface Contradiction {
  /** Below the application, or its overlay. */
  path: string[];
  message: string;
}

/**
 * What each half of a file allows and both together do not: a machine that failed and is tolerated has no release beside
 * the old one to switch to, and none behind which anything could follow.
 */
export function findContradictions(strategy: StrategyInput, hooks: HooksInput): Contradiction[] {
  const { type, steps = [] } = strategy;
  const found: Contradiction[] = [];
  if (type === "blueGreen" && steps.some((step) => "target" in step)) {
    const message = "blueGreen goes everywhere at once; its steps are pauses, gates and approvals, and no targets";
    found.push({ path: ["strategy", "steps"], message });
  }
  if (toleratedFailures(strategy) === 0) return found;
  if (type === "blueGreen") {
    found.push({ path: ["strategy"], message: "blueGreen switches everywhere or nowhere; leave maxFailures out" });
  }
  if (hooks.preSwitch) {
    const message = "a preSwitch hook and maxFailures exclude each other; leave one of them out";
    found.push({ path: ["hooks", "preSwitch"], message });
  }
  if (hooks.postDeploy?.on === "each") {
    const message =
      "a postDeploy hook on each machine and maxFailures exclude each other; leave one of them out, or say `on: once`";
    found.push({ path: ["hooks", "postDeploy"], message });
  }
  return found;
}

/** Where the file alone does not decide: a deployment may bring a strategy of its own. @throws AppError `strategy.contradiction` */
export function refuseContradictions(application: string, strategy: StrategyInput, hooks: HooksInput): void {
  const [first] = findContradictions(strategy, hooks);
  if (first) throw new AppError("invalid", "strategy.contradiction", `${application}: ${first.message}.`);
}
