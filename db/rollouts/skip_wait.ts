import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Tx } from "../database.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments, settleTasks } from "../tasks/settle_tasks.ts";
import type { EndedTask } from "../tasks/settle_tasks.ts";

/** Ends a pause, or the time in which a release is watched, now: what comes behind it goes on. */
export async function skipWait(deps: DeploymentDeps, taskId: string, actor: Actor, note = ""): Promise<void> {
  await endWaits(deps, actor, note, async (tx) => {
    const [task] = await tx<{ id: string; name: string; type: string; state: string }[]>`
      select id, name, type, state from task where id = ${taskId} and project_id = ${actor.projectId}`;
    if (!task) throw new AppError("not_found", "task.not_found", `There is no task ${taskId} in this project.`);
    if ((task.type !== "pause" && task.type !== "gate") || task.state !== "pending") {
      throw new AppError(
        "conflict",
        "task.wrong_state",
        `Only a wait that has begun can be skipped; ${task.name} is none. Cancel the task, or the deployment, instead.`,
      );
    }
    return [taskId];
  });
}

/** The same for all waits of a deployment that have begun. */
export async function skipWaits(deps: DeploymentDeps, deploymentId: string, actor: Actor, note = ""): Promise<void> {
  await endWaits(deps, actor, note, async (tx) => {
    const rows = await tx<{ id: string }[]>`
      select t.id from task t join deployment d on d.id = t.deployment_id where d.id = ${deploymentId} and d.project_id = ${actor.projectId}
        and d.retired_at is null and d.status in ('running', 'paused') and t.type in ('pause', 'gate') and t.state = 'pending'`;
    if (rows.length > 0) return rows.map((row) => row.id);
    throw new AppError(
      "conflict",
      "deployment.no_wait",
      "Nothing of this deployment waits between batches or is watched just now, so there is nothing to skip.",
    );
  });
}

async function endWaits(
  deps: DeploymentDeps,
  actor: Actor,
  note: string,
  find: (tx: Tx) => Promise<string[]>,
): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const ids = await find(tx);
    const deployments = await lockDeployments(tx, ids);
    const said = reason("task.wait_skipped", { actor: actor.name, note: note || "no reason given" });
    const ended = await tx<EndedTask[]>`
      update task t set state = 'success', reason = ${
      tx.json(said as never)
    }, completed_at = boreas_now(), state_since = boreas_now(),
        updated_at = boreas_now(), started_at = coalesce(started_at, boreas_now())
      where t.id = any(${ids}::uuid[]) and t.state = 'pending'
      returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
    await settleTasks(tx, ended);
    for (const task of ended) await recordAudit(deps.db, tx, actor, "task.skip", `task:${task.id}`, { note });
    await moveDeployments(deps.db, tx, deployments);
  });
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}
