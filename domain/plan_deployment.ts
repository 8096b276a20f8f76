/**
 * One version to one environment, as a graph of tasks. Pure: the same input gives the same plan.
 *
 * An application with one target, one stage and no hooks is a leaf itself (`deploy`). Otherwise its `deploy` task is a
 * parent, never leased, with the parts that `plan_parts.ts` lines up. Leaves carry the edges that a claim respects; a
 * parent carries the same edges for people to see.
 */
import { toleratedFailures } from "./hooks.ts";
import { orderApplications } from "./order_applications.ts";
import { planParts } from "./plan_parts.ts";
import type { PlanApplication, PlannedTask } from "./planned_task.ts";
import type { PlanStages } from "./strategy.ts";

export type { PlanApplication, PlannedTask } from "./planned_task.ts";
export type { PlanStages } from "./strategy.ts";

export interface PlanInput {
  /** Every application of the version: order holds through the ones that are not deployed. */
  all: { name: string; needs: readonly string[] }[];
  deployed: PlanApplication[];
  mustInOrder: readonly string[];
  planStages: PlanStages;
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

export function planApplication(app: PlanApplication, dependsOn: string[], planStages: PlanStages): PlannedTask[] {
  const parts = planParts(app, dependsOn, planStages);
  const whole = {
    ...{ key: app.name, parentKey: null, application: app.name, name: app.name, type: "deploy" as const, dependsOn },
    ...{ batch: null, isLeftOut: false },
  };
  const [only, ...others] = parts;
  if (others.length === 0 && only!.type === "apply" && !only!.isLeftOut) {
    return [{ ...whole, target: only!.target, isLeaf: true, work: { kind: "apply", phase: "deploy" }, maxFailures: 0 }];
  }
  // A whole of which every part failed has not succeeded, whatever it tolerates.
  const maxFailures = Math.min(toleratedFailures(app.strategy), Math.max(0, app.targets.length - 1));
  return [{ ...whole, target: null, isLeaf: false, work: { kind: "whole" }, maxFailures }, ...parts];
}
