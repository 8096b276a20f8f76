/** What the parts say of the whole. Pure; the same functions serve the SQL verbs and the model tests. */
import type { FailureAction } from "./strategy.ts";
import type { TaskState } from "./task_state.ts";

/** How many parts are in each state. */
export type StateCounts = Partial<Record<TaskState, number>>;

const count = (counts: StateCounts, ...states: TaskState[]) => states.reduce((sum, s) => sum + (counts[s] ?? 0), 0);
export const unfinished = (counts: StateCounts): number =>
  count(counts, "blocked", "pending", "leased", "running", "cancelling");
export const total = (counts: StateCounts): number =>
  Object.values(counts).reduce((sum: number, n) => sum + (n ?? 0), 0);

/**
 * The state of a parent from its parts. It has failed only when no part can change that any more, so that nothing of it
 * still runs when those that depend on it are told.
 * @param maxFailures parts that may fail while the whole still succeeds
 * @param now what it is: once begun it runs until it is over, also while its only part waits for another attempt
 */
export function rollUpParent(counts: StateCounts, maxFailures: number, now?: TaskState): TaskState {
  if (unfinished(counts) > 0) {
    const begun = count(counts, "leased", "running", "cancelling", "success", "failed");
    if (begun > 0 || now === "running") return "running";
    return count(counts, "pending") > 0 ? "pending" : "blocked";
  }
  if (count(counts, "failed") > maxFailures) return "failed";
  if (count(counts, "cancelled") > 0) return "cancelled";
  // What was left out keeps the whole from success: a retry must take it up.
  if (count(counts, "success") > 0) return count(counts, "skipped") > 0 ? "skipped" : "success";
  return count(counts, "failed") > 0 ? "failed" : "skipped";
}

/** What a deployment does next when a part of it has ended. */
export type DeploymentMove =
  | "none"
  | "complete"
  | "fail"
  | "pause"
  | "roll_back"
  | "stop"
  | "cancelled"
  | "rolled_back"
  | "rollback_failed";

/**
 * @param status of the deployment now
 * @param forward app tasks of the deployment itself
 * @param backward app tasks of its rollback, if one was planned
 * @param waiting tasks of any level, forward, that have not begun
 * @param doomed parents that go on though more of their parts have failed than they tolerate: for those who stop or ask
 *   they have failed already, because what waits in them waits for ever
 */
export function nextMove(
  status: "running" | "paused" | "cancelling" | "rolling_back",
  forward: StateCounts,
  backward: StateCounts,
  onFailure: FailureAction,
  waiting: number,
  doomed = 0,
): DeploymentMove {
  if (status === "rolling_back") {
    if (unfinished(backward) > 0 || unfinished(forward) > 0) return "none";
    return count(backward, "failed", "cancelled", "skipped") > 0 ? "rollback_failed" : "rolled_back";
  }
  if (status === "cancelling") return unfinished(forward) > 0 ? "none" : "cancelled";
  if (count(forward, "failed") > 0 || (doomed > 0 && (onFailure === "pause" || onFailure === "stop"))) {
    if (onFailure === "rollback") return "roll_back";
    if (onFailure === "pause") return "pause"; // asked already, it stays as it is
    if (onFailure === "stop" && waiting > 0) return "stop";
    return unfinished(forward) > 0 ? "none" : "fail";
  }
  if (unfinished(forward) > 0) return "none";
  if (count(forward, "cancelled") > 0) return "cancelled";
  return "complete";
}
