import { AppError } from "./app_error.ts";

export interface Machine {
  id: string;
  name: string;
  labels: Readonly<Record<string, string>>;
  /** A person has it out of service: it is given nothing new. */
  cordoned?: boolean;
}
/** By label or by name, as a file says; or the environment's own map from application to names. */
export type NodeSelection = { labels: Readonly<Record<string, string>> } | { names: readonly string[] } | undefined;

export interface MatchedTargets {
  chosen: Machine[];
  /** Chosen too, but out of service: shown in the plan, and given the release when they are back. */
  leftOut: Machine[];
}

/**
 * The machines an application goes to. The environment's map stands above the file; with neither, every machine bound
 * to the environment. Sorted by name, so that a plan reads the same each time.
 * @throws AppError `targets.unknown` for a name that is not bound; `targets.none` when nothing matches;
 *   `targets.cordoned` when all that match are out of service
 */
export function matchTargets(
  application: string,
  machines: readonly Machine[],
  selection: NodeSelection,
  environmentNames?: readonly string[],
): MatchedTargets {
  const names = environmentNames ?? (selection && "names" in selection ? selection.names : undefined);
  let matching: Machine[];
  if (names) matching = [...new Set(names)].map((name) => findMachine(application, machines, name));
  else if (selection && "labels" in selection) {
    const wanted = Object.entries(selection.labels);
    matching = machines.filter((m) => wanted.every(([key, value]) => m.labels[key] === value));
  } else matching = [...machines];
  if (matching.length === 0) throw nothingMatches(application, machines, selection);
  matching.sort((a, b) => (a.name < b.name ? -1 : 1));
  const chosen = matching.filter((m) => !m.cordoned);
  if (chosen.length === 0) {
    const out = matching.map((m) => m.name).join(", ");
    throw new AppError(
      "conflict",
      "targets.cordoned",
      `Every machine that ${application} goes to is cordoned (${out}); uncordon one, or choose others.`,
    );
  }
  return { chosen, leftOut: matching.filter((m) => m.cordoned) };
}

function findMachine(application: string, machines: readonly Machine[], name: string): Machine {
  const machine = machines.find((m) => m.name === name);
  if (machine) return machine;
  const there = machines.map((m) => m.name).join(", ") || "none";
  throw new AppError(
    "invalid",
    "targets.unknown",
    `${application} is to run on "${name}", which is not a machine of this environment (it has ${there}). Enrol it, or bind it to the environment.`,
  );
}

function nothingMatches(application: string, machines: readonly Machine[], selection: NodeSelection): AppError {
  if (machines.length === 0 || !selection || !("labels" in selection)) {
    return new AppError(
      "conflict",
      "targets.none",
      `No machine is bound to this environment, so ${application} has nowhere to run. Enrol an agent for it, or bind one.`,
    );
  }
  const sayLabels = (labels: Readonly<Record<string, string>>) =>
    Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(",") || "no labels";
  const there = machines.map((m) => `${m.name} (${sayLabels(m.labels)})`).join(", ");
  return new AppError(
    "conflict",
    "targets.none",
    `No machine of this environment has the labels ${
      sayLabels(selection.labels)
    }, so ${application} has nowhere to run. It has ${there}. Label one, or choose others.`,
  );
}
