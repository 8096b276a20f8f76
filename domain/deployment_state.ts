/**
 * The life of a deployment.
 *
 *   pending -> (awaiting_approval) -> running <-> paused -> completed | failed
 *      |                                 |-> cancelling -> cancelled
 *      |-> superseded | cancelled        '-> rolling_back -> rolled_back | rollback_failed
 *   completed | failed | rolled_back -> rolling_back: asked for by a person afterwards
 *
 * `pending` covers waiting for artifacts, with the reason. A crash leaves whatever the last transaction wrote: every move
 * is made in the transaction of the task result, the person's act or the timer that caused it.
 */
export const DEPLOYMENT_STATES = [
  "pending",
  "awaiting_approval",
  "running",
  "paused",
  "cancelling",
  "rolling_back",
  "completed",
  "failed",
  "cancelled",
  "rolled_back",
  "rollback_failed",
  "superseded",
] as const;
export type DeploymentState = (typeof DEPLOYMENT_STATES)[number];

const NEXT: Record<DeploymentState, readonly DeploymentState[]> = {
  pending: ["awaiting_approval", "running", "superseded", "cancelled", "completed", "failed"],
  awaiting_approval: ["pending", "running", "superseded", "cancelled", "failed"], // failed: its artifacts did not come
  running: ["paused", "cancelling", "rolling_back", "completed", "failed", "cancelled"],
  paused: ["running", "cancelling", "rolling_back", "completed", "cancelled", "failed"],
  cancelling: ["cancelled", "rolling_back"],
  rolling_back: ["rolled_back", "rollback_failed"],
  completed: ["rolling_back"],
  failed: ["rolling_back", "running"],
  cancelled: ["rolling_back"],
  rolled_back: [],
  rollback_failed: ["rolling_back"],
  superseded: [],
};

export const canMoveDeployment = (from: DeploymentState, to: DeploymentState): boolean => NEXT[from].includes(to);
/** Work may be under way: at most one of these per application and environment. */
export const ACTIVE_DEPLOYMENT_STATES = [
  "running",
  "paused",
  "cancelling",
  "rolling_back",
] as const satisfies readonly DeploymentState[];
/** A plan may still be edited. */
export const EDITABLE_DEPLOYMENT_STATES = [
  "pending",
  "awaiting_approval",
] as const satisfies readonly DeploymentState[];
export const isActive = (s: DeploymentState): boolean => (ACTIVE_DEPLOYMENT_STATES as readonly string[]).includes(s);
export const isEnded = (s: DeploymentState): boolean =>
  !isActive(s) && !(EDITABLE_DEPLOYMENT_STATES as readonly string[]).includes(s);
