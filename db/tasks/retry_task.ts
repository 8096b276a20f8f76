import { AppError } from "../../domain/app_error.ts";
import type { Actor } from "../database.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";
import { retryDeployment } from "../deployments/retry_deployment.ts";

/** Tries one failed task again, within its deployment. */
export async function retryTask(deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> {
  const [task] = await deps.db.sql<{ deploymentId: string; state: string }[]>`
    select deployment_id, state from task where id = ${id} and project_id = ${actor.projectId}`;
  if (!task) throw new AppError("not_found", "task.not_found", `There is no task ${id} in this project.`);
  if (task.state !== "failed" && task.state !== "cancelled") {
    throw new AppError(
      "conflict",
      "task.wrong_state",
      `Only a failed or cancelled task can be retried; this one is ${task.state}.`,
    );
  }
  await retryDeployment(deps, task.deploymentId, actor, note, id);
}
