import { AppError } from "./app_error.ts";

export interface Machine {
  id: string;
  name: string;
  labels: Readonly<Record<string, string>>;
}
/** By label or by name, as a file says; or the environment's own map from application to names. */
export type NodeSelection = { labels: Readonly<Record<string, string>> } | { names: readonly string[] } | undefined;

/**
 * The machines an application goes to. The environment's map stands above the file; with neither, every machine bound
 * to the environment. Sorted by name, so that a plan reads the same each time.
 * @throws AppError `targets.unknown` for a name that is not bound; `targets.none` when nothing matches
 */
export function matchTargets(
  application: string,
  machines: readonly Machine[],
  selection: NodeSelection,
  environmentNames?: readonly string[],
): Machine[] {
  const names = environmentNames ?? (selection && "names" in selection ? selection.names : undefined);
  let chosen: Machine[];
  if (names) {
    chosen = names.map((name) => {
      const machine = machines.find((m) => m.name === name);
      if (machine) return machine;
      const there = machines.map((m) => m.name).join(", ") || "none";
      throw new AppError(
        "invalid",
        "targets.unknown",
        `${application} is to run on "${name}", which is not a machine of this environment (it has ${there}). Enrol it, or bind it to the environment.`,
      );
    });
  } else if (selection && "labels" in selection) {
    const wanted = Object.entries(selection.labels);
    chosen = machines.filter((m) => wanted.every(([key, value]) => m.labels[key] === value));
  } else chosen = [...machines];
  if (chosen.length === 0) {
    const wanted = selection && "labels" in selection ? ` with labels ${JSON.stringify(selection.labels)}` : "";
    throw new AppError(
      "conflict",
      "targets.none",
      `No machine${wanted} is bound to this environment, so ${application} has nowhere to run. Enrol an agent for it, or bind one.`,
    );
  }
  return chosen.sort((a, b) => (a.name < b.name ? -1 : 1));
}
