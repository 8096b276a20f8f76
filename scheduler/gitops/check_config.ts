/** What the grammar cannot see: names that must exist, be unique, be ours, and an order without circles. Pure. */
import { AppError } from "../../domain/app_error.ts";
import { findTriggerProblems } from "../../domain/check_trigger.ts";
import { findContradictions } from "../../domain/hooks.ts";
import type { Contradiction, HooksInput } from "../../domain/hooks.ts";
import { orderApplications } from "../../domain/order_applications.ts";
import { allArtifacts } from "../../protocol/config/artifacts.ts";
import type { ApplicationDocument, ConfigProblem, PlanDocument } from "../../protocol/config_file.ts";
import type { Placed } from "./read_config.ts";

export interface Surroundings {
  /** Applications of the project, also of other repositories. */
  known: ReadonlySet<string>;
  /** Name -> address of the repository that it belongs to, where that is not this one. */
  foreign: ReadonlyMap<string, string>;
}

export function checkConfig(
  applications: readonly Placed<ApplicationDocument>[],
  plans: readonly Placed<PlanDocument>[],
  surroundings: Surroundings,
): ConfigProblem[] {
  const declared = new Set(applications.map((a) => a.document.name));
  const isKnown = (name: string) => declared.has(name) || surroundings.known.has(name);
  const seen = new Set<string>();
  const problems: ConfigProblem[] = [];
  for (const { document, problem } of applications) {
    const { name } = document;
    if (seen.has(name)) problems.push(problem(["name"], `${name} is declared twice; give one of them another name`));
    seen.add(name);
    const owner = surroundings.foreign.get(name);
    if (owner !== undefined) {
      problems.push(
        problem(["name"], `${name} belongs to ${owner}, which declared it first; an admin can hand it over`),
      );
    }
    for (const found of checkRelease(document)) problems.push(problem(found.path, found.message));
    for (const [index, need] of (document.needs ?? []).entries()) {
      if (!isKnown(need)) {
        problems.push(problem(["needs", index], `${need} is not an application; declare it or remove it`));
      }
    }
    for (const { environment, name } of allArtifacts(document).conflicts) {
      const message = "has another meaning above; give it a name of its own";
      problems.push(problem(["environments", environment, "artifacts", name], message));
    }
  }
  for (const [index, { document, problem }] of plans.entries()) {
    if (index > 0) problems.push(problem([], "is a second Plan; a repository has one"));
    for (const found of findContradictions(document.strategy ?? { type: "all" }, {})) {
      problems.push(problem(found.path, found.message));
    }
    for (const found of checkTriggers(document)) problems.push(problem(found.path, found.message));
    for (const [at, name] of (document.mustInOrder ?? []).entries()) {
      if (!isKnown(name)) {
        problems.push(problem(["mustInOrder", at], `${name} is not an application; declare it or remove it`));
      }
    }
  }
  if (problems.length === 0) problems.push(...checkOrder(applications, plans[0], declared));
  return problems;
}

/** An environment's overlay replaces the strategy as a whole, and hooks key by key. */
function checkRelease(
  { strategy = { type: "all" }, hooks = {}, environments = {} }: ApplicationDocument,
): Contradiction[] {
  const base = findContradictions(strategy, hooks);
  if (base.length > 0) return base;
  return Object.entries(environments).flatMap(([name, overlay]) => {
    const merged: HooksInput = { ...hooks };
    for (
      const [key, hook] of Object.entries(overlay.hooks ?? {}) as [keyof HooksInput, HooksInput[keyof HooksInput]][]
    ) {
      merged[key] = { ...hooks[key], ...hook } as HooksInput[typeof key];
    }
    const found = findContradictions(overlay.strategy ?? strategy, merged);
    return found.map(({ path, message }) => ({ path: ["environments", name, ...path], message }));
  });
}

function checkTriggers({ triggers = [] }: PlanDocument): { path: (string | number)[]; message: string }[] {
  const names = new Set<string>();
  return triggers.flatMap(({ name, on, environment, ...rule }, index) => {
    const found: { path: string; message: string }[] = findTriggerProblems(on, environment, rule);
    if (name !== undefined && names.has(name)) found.push({ path: "name", message: `${name} is another trigger's` });
    if (name !== undefined) names.add(name);
    return found.map(({ path, message }) => ({ path: ["triggers", index, path], message }));
  });
}

function checkOrder(
  applications: readonly Placed<ApplicationDocument>[],
  plan: Placed<PlanDocument> | undefined,
  declared: ReadonlySet<string>,
): ConfigProblem[] {
  const names = [...declared];
  const needs = Object.fromEntries(applications.map(({ document }) => [document.name, document.needs ?? []]));
  const mustInOrder = (plan?.document.mustInOrder ?? []).filter((name) => declared.has(name));
  try {
    orderApplications(names, names, { needs, mustInOrder });
    return [];
  } catch (error: unknown) {
    if (!(error instanceof AppError)) throw error;
    const inPlan = plan !== undefined && (plan.document.mustInOrder ?? []).length > 0;
    const place = inPlan ? plan : applications.find(({ document }) => document.needs !== undefined)!;
    return [place.problem([inPlan ? "mustInOrder" : "needs"], error.message)];
  }
}
