import { AppError } from "./app_error.ts";

export interface OrderRules {
  /** Application -> the ones it needs. */
  needs: Readonly<Record<string, readonly string[]>>;
  mustInOrder: readonly string[];
}

/**
 * For each application that is deployed, the deployed ones it must wait for. Order holds through applications that did
 * not change: they are part of the graph, only no task of theirs is.
 *
 * @param all every application of the version, changed or not
 * @param deployed the ones that get a task
 * @throws AppError `plan.cycle`, naming the cycle; `plan.unknown_application`; `plan.duplicate`
 */
export function orderApplications(
  all: readonly string[],
  deployed: readonly string[],
  rules: OrderRules,
): Map<string, string[]> {
  const known = new Set(all);
  const edges = new Map<string, Set<string>>(all.map((name) => [name, new Set<string>()]));
  const seen = new Set<string>();
  for (const [index, name] of rules.mustInOrder.entries()) {
    if (!known.has(name)) {
      throw new AppError(
        "invalid",
        "plan.unknown_application",
        `mustInOrder names "${name}", which is not an application of this version; it has ${all.join(", ") || "none"}.`,
      );
    }
    if (seen.has(name)) {
      throw new AppError("invalid", "plan.duplicate", `mustInOrder names "${name}" twice; name each application once.`);
    }
    seen.add(name);
    if (index > 0) edges.get(name)!.add(rules.mustInOrder[index - 1]!);
  }
  for (const name of all) {
    // A need outside this version is met by what already runs: it orders nothing here.
    for (const need of rules.needs[name] ?? []) if (known.has(need)) edges.get(name)!.add(need);
  }
  refuseCycle(edges);

  const wanted = new Set(deployed);
  const reach = new Map<string, Set<string>>();
  /** The nearest deployed applications behind this one, looking through those that are not. */
  const before = (name: string): Set<string> => {
    const done = reach.get(name);
    if (done) return done;
    const found = new Set<string>();
    for (const previous of edges.get(name)!) {
      if (wanted.has(previous)) found.add(previous);
      else for (const further of before(previous)) found.add(further);
    }
    reach.set(name, found);
    return found;
  };
  return new Map(deployed.map((name) => [name, [...before(name)]]));
}

function refuseCycle(edges: Map<string, Set<string>>): void {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (name: string): void => {
    const at = path.indexOf(name);
    if (at >= 0) {
      const cycle = [...path.slice(at), name].reverse().join(" -> ");
      throw new AppError(
        "invalid",
        "plan.cycle",
        `The order goes round in a circle: ${cycle}. Remove one of these from mustInOrder or needs.`,
      );
    }
    if (done.has(name)) return;
    path.push(name);
    for (const previous of edges.get(name)!) visit(previous);
    path.pop();
    done.add(name);
  };
  for (const name of edges.keys()) visit(name);
}
