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

/**
 * What each half of a file allows and both together do not: a machine that failed and is tolerated has no release beside
 * the old one to switch to, and none behind which anything could follow.
 * @throws AppError `strategy.contradiction`
 */
export function refuseContradictions(application: string, strategy: StrategyInput, hooks: HooksInput): void {
  const refuse = (what: string): never => {
    throw new AppError("invalid", "strategy.contradiction", `${application}: ${what}`);
  };
  if (strategy.type === "blueGreen" && strategy.steps?.some((step) => "target" in step)) {
    refuse("blueGreen goes everywhere at once; its steps are pauses, gates and approvals, and no targets.");
  }
  if (toleratedFailures(strategy) === 0) return;
  if (strategy.type === "blueGreen") refuse("blueGreen switches everywhere or nowhere; leave maxFailures out.");
  if (hooks.preSwitch) refuse("a preSwitch hook and maxFailures exclude each other; leave one of them out.");
  if (hooks.postDeploy?.on === "each") {
    refuse(
      "a postDeploy hook on each machine and maxFailures exclude each other; leave one of them out, or say `on: once`.",
    );
  }
}
