/** What a person may ask meanwhile: `db/tasks/cancel_task.ts` and `db/deployments/cancel_deployment.ts`. */
import { isEnded } from "../../../domain/deployment_state.ts";
import { isFinal } from "../../../domain/task_state.ts";
import { endWaiting, moveDeployments, settleTasks } from "./settling.ts";
import { moveTask, partsOf, waits } from "./tables.ts";
import type { Tables, TaskRow } from "./tables.ts";

/** @returns false when it has ended already */
export function cancelTask(tables: Tables, id: string): boolean {
  const task = tables.tasks.get(id)!;
  if (isFinal(task.state)) return false;
  const meant = [task, ...partsOf(tables, id)];
  askToStop(meant);
  const ended = meant.filter((one) => waits(one) && partsOf(tables, one.id).every(waits));
  for (const one of ended) moveTask(one, "cancelled", "task.cancelled");
  settleTasks(tables, ended);
  moveDeployments(tables, [task.deploymentId]);
  return true;
}

/** @returns false when it has ended otherwise already */
export function cancelDeployment(tables: Tables, id: string): boolean {
  const deployment = tables.deployments.get(id)!;
  if (isEnded(deployment.status)) return deployment.status === "cancelled";
  if (deployment.status === "cancelling") return true;
  deployment.status = "cancelling";
  endWaiting(tables, id, "cancelled", "task.cancelled");
  askToStop([...tables.tasks.values()].filter((task) => task.deploymentId === id));
  moveDeployments(tables, [id]);
  return true;
}

/** What an agent holds stays its own until its word comes, or its lease ends. */
function askToStop(tasks: readonly TaskRow[]): void {
  for (const task of tasks) {
    if (!task.isLeaf || (task.state !== "leased" && task.state !== "running")) continue;
    Object.assign(task, { state: "cancelling", reason: "task.cancelling" });
    task.events.push("task.cancelling");
  }
}
