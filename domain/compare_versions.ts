/** How a version stands to another one of the same repository. */
export type Relation = "same" | "newer" | "older" | "diverged";

export interface Ancestry {
  candidateCommit: string;
  currentCommit: string;
  /** The current commit is an ancestor of the candidate: newer contains older. */
  candidateContainsCurrent: boolean;
  currentContainsCandidate: boolean;
}

export function relate(a: Ancestry): Relation {
  if (a.candidateCommit === a.currentCommit) return "same";
  if (a.candidateContainsCurrent) return "newer";
  return a.currentContainsCandidate ? "older" : "diverged";
}

/** Why no trigger may put the candidate over what the environment has; undefined when it may. */
export function whyNotOver(relation: Relation, candidate: string, current: string): string | undefined {
  if (relation === "older") return `${candidate} is older than ${current}, which it has`;
  if (relation === "diverged") return `${candidate} has diverged from ${current}, which it has; a person must choose`;
  return undefined;
}
