/**
 * May this version be deployed at all? The one place that says so, for every path that picks a version by itself
 * (triggers, polls, promotion, catching up, healing) and for people. A version that was rolled back is marked `revert`
 * and waits for a person who clears it.
 */
export interface VersionStanding {
  status: "normal" | "revert";
  builds: "waiting" | "ready" | "failed";
}

/** Artifacts that are still being built are waited for, so they do not count against it. */
export const isDeployable = ({ status, builds }: VersionStanding): boolean =>
  status !== "revert" && builds !== "failed";
