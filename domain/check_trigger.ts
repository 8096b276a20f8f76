/** What the grammar cannot see of a trigger: times that never come, selectors that name nothing, names that are taken. */
import { parseSelector } from "./choose_version.ts";
import { whyNoCron } from "./cron.ts";
import type { TriggerEvent, TriggerRule } from "./trigger.ts";

export interface TriggerProblem {
  path: keyof TriggerRule;
  message: string;
}

export function findTriggerProblems(on: TriggerEvent, environment: string, rule: TriggerRule): TriggerProblem[] {
  const problems: TriggerProblem[] = [];
  if (on === "cron") {
    const why = rule.at === undefined
      ? "is missing: say when, as in 0 3 * * 1-5"
      : whyNoCron({ cron: rule.at, tz: rule.tz });
    if (why !== undefined) problems.push({ path: "at", message: why });
  }
  if (on === "deployment" && rule.of === environment) {
    problems.push({ path: "of", message: `is ${environment} itself; name the environment that comes before it` });
  }
  const selector = rule.version === undefined ? undefined : parseSelector(rule.version);
  if (rule.version !== undefined && !selector) {
    problems.push({ path: "version", message: "is latest, latest-verified:ENVIRONMENT, or a version's name" });
  }
  if (rule.after !== undefined && on !== "deployment" && selector?.kind !== "verified") {
    problems.push({
      path: "after",
      message: "is how long a version must have been verified: for latest-verified:... only",
    });
  }
  return problems;
}

/** Every trigger has a name: its own, or what it listens to and where it goes, counted where that is not enough. */
export function nameTriggers<T extends { name?: string; on: TriggerEvent; environment: string }>(
  triggers: readonly T[],
): (T & { name: string })[] {
  const taken = new Set(triggers.flatMap((t) => t.name ?? []));
  return triggers.map((trigger) => {
    if (trigger.name !== undefined) return { ...trigger, name: trigger.name };
    const plain = `${trigger.on}-${trigger.environment}`;
    let name = plain;
    for (let count = 2; taken.has(name); count++) name = `${plain}-${count}`;
    taken.add(name);
    return { ...trigger, name };
  });
}
