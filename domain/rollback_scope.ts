import type { RollbackScope } from "./strategy.ts";

export interface ScopedPlace {
  /** It failed, turned bad, or was still under way: what is there now is not the new release, healthy. */
  isBad: boolean;
  /** Equal for those that went at once. */
  batchOf: string;
}

/** Of the places that a deployment reached, those that go back. */
export function withinScope<P extends ScopedPlace>(reached: readonly P[], scope: RollbackScope): P[] {
  if (scope === "deployment") return [...reached];
  const bad = reached.filter((place) => place.isBad);
  if (scope === "target") return bad;
  const batches = new Set(bad.map((place) => place.batchOf));
  return reached.filter((place) => batches.has(place.batchOf));
}
