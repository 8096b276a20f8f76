/**
 * One version to one environment, as a graph of tasks. Pure: the same input gives the same plan.
 *
 * An application with one target and one stage is a leaf itself (`deploy`). Otherwise its `deploy` task is a parent,
 * never leased, with `apply` leaves, `pause` tasks between batches and, when the release is watched, a `gate` behind the
 * last batch. Leaves carry the edges that a claim respects; a parent carries the same edges for people to see.
 */
import type { TaskType } from "./task_state.ts";
import { orderApplications } from "./order_applications.ts";
import type { PlanStages, StageTarget, StrategyInput } from "./strategy.ts";

export type { PlanStages } from "./strategy.ts";

export interface PlanApplication {
  name: string;
  needs: readonly string[];
  /** Where it goes. Empty means: one task that any agent of the environment may take. */
  targets: StageTarget[];
  /** Machines it would go to as well, were they in service. */
  leftOut?: StageTarget[];
  strategy: StrategyInput;
  /** How long the release is watched when it is everywhere; 0 or absent: not at all. */
  watchSeconds?: number;
}
export interface PlanInput {
  /** Every application of the version: order holds through the ones that are not deployed. */
  all: { name: string; needs: readonly string[] }[];
  deployed: PlanApplication[];
  mustInOrder: readonly string[];
  planStages: PlanStages;
}
export interface PlannedTask {
  /** Unique in the plan: `order`, `order/m1`, `order/pause-1`. */
  key: string;
  parentKey: string | null;
  application: string;
  /** The application's name; of a part, the machine's, or what it waits for. */
  name: string;
  type: TaskType;
  dependsOn: string[];
  target: StageTarget | null;
  /** A leaf is done by an agent, a wait by the timer. */
  isLeaf: boolean;
  /** Of a pause, and of a gate that watches. */
  pauseSeconds: number | null;
  /** Of a parent: parts that may fail before it has failed. */
  maxFailures: number;
  /** Of a part for one target: 1, 2, ... */
  batch: number | null;
  /** Its machine is out of service, so nothing is done: it has ended before it begins. */
  isLeftOut: boolean;
}

export function planDeployment(input: PlanInput): PlannedTask[] {
  const needs = Object.fromEntries(input.all.map((a) => [a.name, a.needs]));
  const names = input.all.map((a) => a.name);
  const order = orderApplications(names, input.deployed.map((a) => a.name), { needs, mustInOrder: input.mustInOrder });
  // Written in the declared order, then by name: the order in which a person reads it and equal claims are served.
  const rank = new Map(input.mustInOrder.map((name, index) => [name, index]));
  const sorted = [...input.deployed].sort((a, b) =>
    (rank.get(a.name) ?? Infinity) - (rank.get(b.name) ?? Infinity) || (a.name < b.name ? -1 : 1)
  );
  return sorted.flatMap((app) => planApplication(app, order.get(app.name)!, input.planStages));
}

function planApplication(app: PlanApplication, dependsOn: string[], plan: PlanStages): PlannedTask[] {
  const { watchSeconds = 0, leftOut = [] } = app;
  const common = { application: app.name, pauseSeconds: null, maxFailures: 0, batch: null, isLeftOut: false };
  const whole = { ...common, key: app.name, parentKey: null, name: app.name, type: "deploy" as const, dependsOn };
  const hasParts = app.targets.length > 1 || watchSeconds > 0 || leftOut.length > 0;
  if (!hasParts) return [{ ...whole, target: app.targets[0] ?? null, isLeaf: true }];

  const part = { ...common, parentKey: app.name };
  const wait = (key: string, name: string, type: "pause" | "gate", seconds: number): PlannedTask => ({
    ...part,
    key: `${app.name}/${key}`,
    name,
    type,
    dependsOn: previous,
    target: null,
    isLeaf: false,
    pauseSeconds: seconds,
  });
  const apply = (target: StageTarget | null): PlannedTask => ({
    ...part,
    key: `${app.name}/${target?.name ?? "run"}`,
    name: target?.name ?? app.name,
    type: "apply",
    dependsOn: previous,
    target,
    isLeaf: true,
  });
  const parts: PlannedTask[] = [];
  let previous = dependsOn;
  let pauses = 0;
  let batch = 0;
  const stages = app.targets.length > 0
    ? plan({ targets: app.targets, strategy: app.strategy })
    : [{ kind: "apply" as const, targets: [null] }];
  for (const stage of stages) {
    batch += stage.kind === "apply" ? 1 : 0;
    const tasks = stage.kind === "pause"
      ? [wait(`pause-${++pauses}`, `wait ${stage.seconds} s`, "pause", stage.seconds)]
      : stage.targets.map((target) => ({ ...apply(target), batch }));
    parts.push(...tasks);
    previous = tasks.map((task) => task.key);
  }
  if (watchSeconds > 0) parts.push(wait("watch", `watch ${watchSeconds} s`, "gate", watchSeconds));
  for (const target of leftOut) parts.push({ ...apply(target), dependsOn: [], isLeftOut: true });
  // A whole of which every part failed has not succeeded, whatever it tolerates.
  const maxFailures = Math.min(app.strategy.maxFailures ?? 0, Math.max(0, app.targets.length - 1));
  return [{ ...whole, target: null, isLeaf: false, maxFailures }, ...parts];
}
