/** How one application goes over its targets: batches, and what lies between them. Pure. */
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
  onFailure?: {
    action: FailureAction;
    scope?: RollbackScope;
    askFor?: string;
    default?: FailureChoice;
    /** Of a rollback. */
    deadline?: string;
  };
}
export interface StageTarget {
  id: string;
  name: string;
}
/** The way of a release to one place: all of it, or its parts, when something lies between them. */
export type Phase = "deploy" | "prepare" | "switch" | "finish";
/** Of a canary: which step a target's turn belongs to, and how many of that step may fail. */
export interface StepOf {
  number: number;
  maxFailures: number;
}
/** Targets that go at once. `hold`: the release before goes on running behind the switch. */
export interface ApplyStage {
  kind: "apply";
  phase: Phase;
  targets: StageTarget[];
  hold?: boolean;
  step?: StepOf;
}
/** Or what lies between them. */
export type Stage =
  | ApplyStage
  | { kind: "pause"; seconds: number }
  | { kind: "gate"; gate: GateInput }
  | { kind: "approval"; approve: ApproveInput };
export type PlanStages = (input: { targets: StageTarget[]; strategy: StrategyInput }) => Stage[];

/** A share is rounded up: 25% of 3 is 1, and never nothing. */
export function batchSize(batch: number | string | undefined, targets: number): number {
  if (batch === undefined) return 1;
  if (typeof batch === "number") return Math.max(1, Math.min(batch, Math.max(1, targets)));
  return Math.max(1, Math.ceil((targets * Number(batch.slice(0, -1))) / 100));
}

/** The same block means the same everywhere: operators plan with this unless their kind needs more. */
export const planStages: PlanStages = ({ targets, strategy }) => {
  if (targets.length === 0) return [];
  switch (strategy.type) {
    case "all":
      return [{ kind: "apply", phase: "deploy", targets }];
    case "rolling":
      return planBatches(targets, strategy, targets.length);
    case "canary":
      return planSteps(targets, strategy.steps ?? []);
    case "blueGreen":
      return planBothSides(targets, strategy);
  }
};

/** A step without a batch size goes at once; a rolling strategy without one goes one by one. */
function planBatches(targets: StageTarget[], batching: Batching, all: number, step?: StepOf): Stage[] {
  const size = step && batching.batch === undefined ? targets.length : batchSize(batching.batch, all);
  const seconds = batching.wait ? parseDuration(batching.wait)! : 0;
  const stages: Stage[] = [];
  for (let at = 0; at < targets.length; at += size) {
    if (at > 0 && seconds > 0) stages.push({ kind: "pause", seconds });
    stages.push({ kind: "apply", phase: "deploy", targets: targets.slice(at, at + size), ...(step && { step }) });
  }
  return stages;
}

/** Step by step, each target counting all that have it by then; what remains behind the last step follows at once. */
function planSteps(targets: StageTarget[], steps: readonly StepInput[]): Stage[] {
  const stages: Stage[] = [];
  let done = 0;
  for (const [at, step] of [...steps, { target: "100%" }].entries()) {
    if (!("target" in step)) {
      stages.push(planBetween(step));
      continue;
    }
    const upTo = batchSize(step.target, targets.length);
    const next = targets.slice(done, upTo);
    const { maxFailures = 0 } = step as Batching;
    stages.push(...planBatches(next, step as Batching, targets.length, { number: at + 1, maxFailures }));
    done = Math.max(done, upTo);
  }
  return stages;
}

/**
 * The new release stands everywhere beside the old one before any request goes to it. Held, the old one goes on running
 * behind it for a while, so that going back is only another switch.
 */
function planBothSides(targets: StageTarget[], { steps = [], hold }: StrategyInput): Stage[] {
  const seconds = hold ? parseDuration(hold)! : 0;
  return [
    { kind: "apply", phase: "prepare", targets },
    ...steps.flatMap((step) => "target" in step ? [] : [planBetween(step)]),
    { kind: "apply", phase: "switch", targets, hold: seconds > 0 },
    ...(seconds > 0 ? [{ kind: "pause", seconds }, { kind: "apply", phase: "finish", targets }] satisfies Stage[] : []),
  ];
}

function planBetween(step: Exclude<StepInput, { target: number | string }>): Stage {
  if ("pause" in step) return { kind: "pause", seconds: parseDuration(step.pause)! };
  return "gate" in step ? { kind: "gate", gate: step.gate } : { kind: "approval", approve: step.approve };
}
