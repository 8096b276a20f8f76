/** How one application goes over its targets: batches, and what lies between them. Pure. */
import { AppError } from "./app_error.ts";
import { parseDuration } from "./duration.ts";

export type FailureAction = "rollback" | "pause" | "continue" | "stop";
/** What goes back when a deployment rolls back: the machines in trouble, their batches too, or all that it reached. */
export type RollbackScope = "target" | "batch" | "deployment";
/** What a person, or the default after a time, answers to a failure. */
export type FailureChoice = "fail" | "retry" | "ignore" | "exclude" | "rollback";
export interface Batching {
  /** A count or a share such as `25%`; 1 when a rolling strategy names none. */
  batch?: number | string;
  wait?: string;
  maxFailures?: number;
}
/** A condition between stages, as the file has it: `protocol/config/release.ts` holds its grammar. */
export type GateInput =
  & { every?: string; for?: string; timeout?: string; noData?: "fail" | "pass" | "wait" }
  & (
    | { prometheus: string; server?: string; max?: number; min?: number }
    | { http: string; expect?: string }
    | { script: string }
  );
export interface ApproveInput {
  roles?: string[];
  count?: number;
  notAuthor?: boolean;
  expires?: string;
  onExpire?: "reject" | "approve";
}
/** `target` counts all that have it when the step is done, earlier ones included. */
export type StepInput =
  | ({ target: number | string } & Batching)
  | { pause: string }
  | { gate: GateInput }
  | { approve: ApproveInput };
export interface StrategyInput extends Batching {
  type: "all" | "rolling" | "canary" | "blueGreen";
  steps?: StepInput[];
  /** Of blueGreen: how long the old release goes on running behind the new one. */
  hold?: string;
  onFailure?: { action: FailureAction; scope?: RollbackScope; askFor?: string; default?: FailureChoice };
}
export interface StageTarget {
  id: string;
  name: string;
}
/** Targets that go at once, or a wait. */
export type Stage = { kind: "apply"; targets: StageTarget[] } | { kind: "pause"; seconds: number };
export type PlanStages = (input: { targets: StageTarget[]; strategy: StrategyInput }) => Stage[];

/** A share is rounded up: 25% of 3 is 1, and never nothing. */
export function batchSize(batch: number | string | undefined, targets: number): number {
  if (batch === undefined) return 1;
  if (typeof batch === "number") return Math.max(1, Math.min(batch, Math.max(1, targets)));
  return Math.max(1, Math.ceil((targets * Number(batch.slice(0, -1))) / 100));
}

/** The same block means the same everywhere: operators plan with this unless their kind needs more. */
export const planStages: PlanStages = ({ targets, strategy }) => {
  if (strategy.type === "canary" || strategy.type === "blueGreen") {
    throw new AppError(
      "invalid",
      "strategy.not_carried_out",
      `The strategy "${strategy.type}" is understood but not carried out by this release; use "all" or "rolling".`,
    );
  }
  if (targets.length === 0) return [];
  if (strategy.type === "all") return [{ kind: "apply", targets }];
  const size = batchSize(strategy.batch, targets.length);
  const seconds = strategy.wait ? parseDuration(strategy.wait)! : 0;
  const stages: Stage[] = [];
  for (let at = 0; at < targets.length; at += size) {
    if (at > 0 && seconds > 0) stages.push({ kind: "pause", seconds });
    stages.push({ kind: "apply", targets: targets.slice(at, at + size) });
  }
  return stages;
};
