/** The tasks of a plan, and the application that a plan is made for: data only. */
import type { HookInput, HookName, HooksInput } from "./hooks.ts";
import type { ApproveInput, GateInput, Phase, StageTarget, StepOf, StrategyInput } from "./strategy.ts";
import type { TaskType } from "./task_state.ts";

export interface PlanApplication {
  name: string;
  needs: readonly string[];
  /** Where it goes. Empty means: one task that any agent of the environment may take. */
  targets: StageTarget[];
  /** Machines it would go to as well, were they in service. */
  leftOut?: StageTarget[];
  strategy: StrategyInput;
  hooks?: HooksInput;
  /** How long the release is watched when it is everywhere; 0 or absent: not at all. */
  watchSeconds?: number;
}
/** What a task is there for. */
export type Work =
  | { kind: "whole" }
  | { kind: "apply"; phase: Phase | "remove"; hold?: boolean; step?: StepOf }
  | { kind: "hook"; name: HookName; hook: HookInput }
  | { kind: "pause" | "watch"; seconds: number }
  /** Where many parts meet before the next many begin: it ends at once. */
  | { kind: "meeting"; parts: number }
  | { kind: "gate"; gate: GateInput }
  | { kind: "approval"; approve: ApproveInput };
export interface PlannedTask {
  /** Unique in the plan: `order`, `order/m1`, `order/pause-1`. */
  key: string;
  parentKey: string | null;
  application: string;
  /** The application's name; of a part, the machine's, or what it does there or waits for. */
  name: string;
  type: TaskType;
  dependsOn: string[];
  target: StageTarget | null;
  /** A leaf is done by an agent. */
  isLeaf: boolean;
  work: Work;
  /** Of a parent: parts that may fail before it has failed. */
  maxFailures: number;
  /** Of a part for one target: 1, 2, ... */
  batch: number | null;
  /** Its machine is out of service, so nothing is done: it has ended before it begins. */
  isLeftOut: boolean;
}
