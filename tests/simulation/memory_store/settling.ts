/**
 * What follows when tasks have ended: `db/tasks/settle_tasks.ts` and `db/deployments/move_deployments.ts`. Unblock or
 * skip what waits, roll up parents, again for those that ended by it, then let deployments move.
 */
import { nextMove, rollUpParent } from "../../../domain/roll_up.ts";
import type { StateCounts } from "../../../domain/roll_up.ts";
import { isFinal } from "../../../domain/task_state.ts";
import type { TaskState } from "../../../domain/task_state.ts";
import { byId, moveTask, partsOf, waits } from "./tables.ts";
import type { Tables, TaskRow } from "./tables.ts";

export function settleTasks(tables: Tables, ended: readonly TaskRow[]): void {
  let wave = [...ended];
  while (wave.length > 0) {
    const { good = [], bad = [] } = Object.groupBy(wave, (task) => (isDone(tables, task) ? "good" : "bad"));
    unblock(tables, new Set(good.map((task) => task.id)));
    const skipped = skipDependents(tables, bad);
    wave = rollUpParents(tables, [...wave, ...skipped]);
  }
}

/** A failed part that its whole tolerates counts as done for those that wait for it. */
function isDone(tables: Tables, task: TaskRow): boolean {
  if (task.state !== "failed" || task.parentId === null) return task.state === "success";
  const { maxFailures } = tables.tasks.get(task.parentId)!;
  return maxFailures > 0 && maxFailures >= partsOf(tables, task.parentId).filter((t) => t.state === "failed").length;
}

function unblock(tables: Tables, good: ReadonlySet<string>): void {
  for (const task of tables.tasks.values()) {
    const met = task.dependsOn.filter((id) => good.has(id)).length;
    if (task.state !== "blocked" || met === 0) continue;
    task.unmet -= met;
    if (task.unmet > 0) continue;
    Object.assign(task, { state: "pending", reason: "task.ready" });
    task.events.push("task.pending");
  }
}

/** Ends, transitively, what can never begin. */
function skipDependents(tables: Tables, bad: readonly TaskRow[]): TaskRow[] {
  const skipped: TaskRow[] = [];
  let doomed = new Set(bad.map((task) => task.id));
  while (doomed.size > 0) {
    const next = [...tables.tasks.values()]
      .filter((task) => task.state === "blocked" && task.dependsOn.some((id) => doomed.has(id)))
      .filter((task) => !partsOf(tables, task.id).some((part) => isFinal(part.state)));
    for (const task of next) moveTask(task, "skipped", "task.skipped_dependency");
    skipped.push(...next);
    doomed = new Set(next.map((task) => task.id));
  }
  return skipped;
}

/** @returns the parents that ended with their parts */
function rollUpParents(tables: Tables, parts: readonly TaskRow[]): TaskRow[] {
  const parents = [...new Set(parts.flatMap((part) => part.parentId ?? []))].map((id) => tables.tasks.get(id)!);
  const ended: TaskRow[] = [];
  for (const parent of parents.sort(byId)) {
    if (isFinal(parent.state)) continue;
    const state = rollUpParent(countStates(partsOf(tables, parent.id)), parent.maxFailures, parent.state);
    Object.assign(parent, { state, reason: REASONS[state], unmet: state === "blocked" ? parent.unmet : 0 });
    if (isFinal(state)) ended.push(parent);
  }
  return ended;
}

const REASONS: Partial<Record<TaskState, string>> = {
  failed: "task.parts_failed",
  success: "task.succeeded",
  cancelled: "task.cancelled",
  skipped: "task.skipped_stopped",
  blocked: "task.waiting_for_dependencies",
  pending: "task.ready",
  running: "task.children_running",
};

function countStates(tasks: readonly TaskRow[]): StateCounts {
  const counts: StateCounts = {};
  for (const { state } of tasks) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** `db/deployments/may_move.ts`: something has failed, or the last task in order has ended. */
export function mayMove(tables: Tables, id: string): boolean {
  const tasks = [...tables.tasks.values()].filter((task) => task.deploymentId === id);
  const last = tasks.reduce((a, b) => (b.position > a.position ? b : a));
  return isFinal(last.state) || tasks.some((task) => task.state === "failed");
}

export function moveDeployments(tables: Tables, ids: readonly string[]): void {
  for (const id of [...new Set(ids)].sort()) moveDeployment(tables, id);
}

function moveDeployment(tables: Tables, id: string): void {
  const deployment = tables.deployments.get(id)!;
  if (deployment.status !== "running" && deployment.status !== "cancelling") return;
  const tasks = [...tables.tasks.values()].filter((task) => task.deploymentId === id);
  const forward = countStates(tasks.filter((task) => task.parentId === null));
  const doomed = tasks.filter((task) =>
    !task.isLeaf && !isFinal(task.state) &&
    task.maxFailures < partsOf(tables, task.id).filter((part) => part.state === "failed").length
  );
  const { status, onFailure } = deployment;
  switch (nextMove(status, forward, {}, onFailure, tasks.filter(waits).length, doomed.length)) {
    case "complete":
      return void (deployment.status = "completed");
    case "fail":
      return void (deployment.status = "failed");
    case "cancelled":
      return void (deployment.status = "cancelled");
    case "stop":
      return endWaiting(tables, id, "skipped", "task.skipped_stopped") > 0 ? moveDeployment(tables, id) : undefined;
  }
}

/** `db/tasks/stop_tasks.ts`: ends what nobody has begun. @returns how many */
export function endWaiting(tables: Tables, id: string, state: "skipped" | "cancelled", reason: string): number {
  const ended = [...tables.tasks.values()].filter((task) =>
    task.deploymentId === id && waits(task) && partsOf(tables, task.id).every(waits)
  );
  for (const task of ended) moveTask(task, state, reason);
  settleTasks(tables, ended);
  return ended.length;
}
