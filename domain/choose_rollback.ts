/**
 * What a rollback does: every place that the bad version reached gets back what it had before. Reverse of the declared
 * order. Where there was nothing before, what was started is removed.
 */
import type { StageTarget } from "./strategy.ts";

export interface ReachedPlace {
  application: string;
  target: StageTarget | null;
  /** Order in which the applications were to come: a rollback goes the other way. */
  position: number;
  /** What ran there before this deployment; null when nothing did. */
  previous: { versionId: string; version: string; commit: string | null; specSha256: string } | null;
}
export interface RollbackStep {
  application: string;
  targets: { target: StageTarget | null; previous: ReachedPlace["previous"] }[];
  /** Applications whose rollback comes first. */
  dependsOn: string[];
}

export function chooseRollback(
  reached: readonly ReachedPlace[],
  /** application -> the ones it waited for on the way forward */
  forward: ReadonlyMap<string, readonly string[]>,
): RollbackStep[] {
  const names = [...new Set([...reached].sort((a, b) => b.position - a.position).map((p) => p.application))];
  const reachedNames = new Set(names);
  // a waits for b on the way forward, so b waits for a on the way back; through applications that were not reached too.
  const before = (name: string, seen = new Set<string>()): Set<string> => {
    const found = new Set<string>();
    for (const previous of forward.get(name) ?? []) {
      if (seen.has(previous)) continue;
      seen.add(previous);
      if (reachedNames.has(previous)) found.add(previous);
      else for (const further of before(previous, seen)) found.add(further);
    }
    return found;
  };
  const backward = new Map<string, Set<string>>(names.map((n) => [n, new Set()]));
  for (const name of names) for (const previous of before(name)) backward.get(previous)!.add(name);
  return names.map((application) => ({
    application,
    targets: reached.filter((p) => p.application === application).map(({ target, previous }) => ({ target, previous })),
    dependsOn: [...backward.get(application)!],
  }));
}
