/**
 * One version to one environment, as a graph of tasks. Pure: the same input gives the same plan.
 *
 * An application with one target and one stage is a leaf itself (`deploy`). Otherwise its `deploy` task is a parent,
 * never leased, with `apply` leaves and `pause` tasks between batches. Leaves carry the edges that a claim respects; a
 * parent carries the same edges for people to see.
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
  strategy: StrategyInput;
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
  /** A leaf is done by an agent, a pause by the timer. */
  isLeaf: boolean;
  pauseSeconds: number | null;
  /** Of a parent: parts that may fail before it has failed. */
  maxFailures: number;
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
  const whole = {
    key: app.name,
    parentKey: null,
    application: app.name,
    name: app.name,
    type: "deploy" as const,
    dependsOn,
    pauseSeconds: null,
    maxFailures: 0,
  };
  if (app.targets.length <= 1) return [{ ...whole, target: app.targets[0] ?? null, isLeaf: true }];

  const parts: PlannedTask[] = [];
  const part = { parentKey: app.name, application: app.name, maxFailures: 0 };
  let previous = dependsOn;
  let pauses = 0;
  for (const stage of plan({ targets: app.targets, strategy: app.strategy })) {
    if (stage.kind === "pause") {
      const key = `${app.name}/pause-${++pauses}`;
      const name = `wait ${stage.seconds} s`;
      parts.push({
        ...part,
        key,
        name,
        type: "pause",
        dependsOn: previous,
        target: null,
        isLeaf: false,
        pauseSeconds: stage.seconds,
      });
      previous = [key];
      continue;
    }
    const batch = stage.targets.map((target): PlannedTask => ({
      ...part,
      key: `${app.name}/${target.name}`,
      name: target.name,
      type: "apply",
      dependsOn: previous,
      target,
      isLeaf: true,
      pauseSeconds: null,
    }));
    parts.push(...batch);
    previous = batch.map((task) => task.key);
  }
  return [{ ...whole, target: null, isLeaf: false, maxFailures: app.strategy.maxFailures ?? 0 }, ...parts];
}
