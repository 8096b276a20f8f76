/**
 * What takes applications away again, as a graph of tasks: those that need others go first. Pure.
 *
 *   order needs user:   order (m1, m2) -> user (m1)
 *
 * What still needs one of them and stays is for the caller to refuse (`findNeeders`).
 */
import { AppError } from "./app_error.ts";
import { orderApplications } from "./order_applications.ts";
import { planApplication } from "./plan_deployment.ts";
import type { PlannedTask } from "./planned_task.ts";
import type { PlanStages, StageTarget, StrategyInput } from "./strategy.ts";

export interface RemovedApplication {
  name: string;
  needs: readonly string[];
  /** Where it runs; empty for the one place of an environment that has no more. */
  targets: StageTarget[];
  /** It runs nowhere that anybody can reach: only what is known of it goes. */
  isOutOfReach?: boolean;
}

export function planRemoval(
  apps: readonly RemovedApplication[],
  strategy: StrategyInput,
  planStages: PlanStages,
): PlannedTask[] {
  const waitsFor = orderRemoval(apps);
  return [...waitsFor].flatMap(([name, dependsOn]) => {
    const app = apps.find((one) => one.name === name)!;
    if (app.isOutOfReach) return [forget(name, dependsOn)];
    return planApplication({ ...app, strategy }, dependsOn, planStages).map(asRemoval);
  });
}

export interface Needer {
  /** It runs there and is not removed. */
  application: string;
  /** What it needs of those that are. */
  needs: string[];
}

export function findNeeders(
  running: readonly { name: string; needs: readonly string[] }[],
  removed: readonly string[],
): Needer[] {
  return running.filter(({ name }) => !removed.includes(name)).flatMap(({ name, needs }) => {
    const wanted = needs.filter((need) => removed.includes(need));
    return wanted.length > 0 ? [{ application: name, needs: wanted }] : [];
  });
}

/** Application -> those that go before it; in an order in which each comes behind them. */
function orderRemoval(apps: readonly RemovedApplication[]): Map<string, string[]> {
  const names = apps.map((app) => app.name).sort();
  const forward = orderForward(names, Object.fromEntries(apps.map((app) => [app.name, app.needs])));
  const backward = new Map(names.map((name) => [name, names.filter((other) => forward.get(other)?.includes(name))]));
  const ordered = new Map<string, string[]>();
  for (let left = names; left.length > 0; left = left.filter((name) => !ordered.has(name))) {
    for (const name of left) {
      const before = backward.get(name)!;
      if (before.every((other) => ordered.has(other))) ordered.set(name, before);
    }
  }
  return ordered;
}

/** Versions of different times may need each other in a circle; then nobody comes first, and all go at once. */
function orderForward(names: string[], needs: Record<string, readonly string[]>): Map<string, string[]> {
  try {
    return orderApplications(names, names, { needs, mustInOrder: [] });
  } catch (error: unknown) {
    if (!(error instanceof AppError) || error.code !== "plan.cycle") throw error;
    return new Map();
  }
}

const asRemoval = (task: PlannedTask): PlannedTask =>
  task.work.kind === "apply" ? { ...task, work: { kind: "apply", phase: "remove" } } : task;

const forget = (name: string, dependsOn: string[]): PlannedTask => ({
  ...{ key: name, parentKey: null, application: name, name, type: "pause", dependsOn, target: null, isLeaf: false },
  ...{ work: { kind: "meeting", parts: 0 }, maxFailures: 0, batch: null, isLeftOut: false },
});
