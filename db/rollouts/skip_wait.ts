/** A person ends a wait: a pause, the time in which a release is watched, or a gate that is being measured. */
import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Tx } from "../database.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments, settleTasks } from "../tasks/settle_tasks.ts";
import type { EndedTask } from "../tasks/settle_tasks.ts";

/** Ends one wait now: what comes behind it goes on. */
export async function skipWait(deps: DeploymentDeps, taskId: string, actor: Actor, note = ""): Promise<void> {
  await skip(deps, actor, note, async (tx) => {
    const [task] = await tx<{ id: string; name: string; type: string; isWait: boolean }[]>`
      select t.id, t.name, t.type, ${isWait(tx)} as is_wait from task t
      where t.id = ${taskId} and t.project_id = ${actor.projectId}`;
    if (!task) throw new AppError("not_found", "task.not_found", `There is no task ${taskId} in this project.`);
    if (task.isWait) return [taskId];
    throw new AppError(
      "conflict",
      "task.wrong_state",
      task.type === "approval"
        ? `${task.name} is a question to people: approve or reject it.`
        : `Only a wait that has begun can be skipped; ${task.name} is none. Cancel the task, or the deployment, instead.`,
    );
  });
}

/** The same for all waits of a deployment that have begun. */
export async function skipWaits(deps: DeploymentDeps, deploymentId: string, actor: Actor, note = ""): Promise<void> {
  await skip(deps, actor, note, async (tx) => {
    const rows = await tx<{ id: string }[]>`
      select t.id from task t join deployment d on d.id = t.deployment_id where d.id = ${deploymentId} and d.project_id = ${actor.projectId}
        and d.retired_at is null and d.status in ('running', 'paused') and ${isWait(tx)}`;
    if (rows.length > 0) return rows.map((row) => row.id);
    throw new AppError(
      "conflict",
      "deployment.no_wait",
      "Nothing of this deployment waits between batches, is measured or is watched just now, so there is nothing to skip.",
    );
  });
}

/** Begun: a gate's script may be in the hands of an agent, which hears that its work is wanted no more. */
const isWait = (tx: Tx) =>
  tx`(t.type in ('pause', 'gate') and t.state = 'pending' or t.type = 'gate' and t.state in ('leased', 'running'))`;

async function skip(
  deps: DeploymentDeps,
  actor: Actor,
  note: string,
  find: (tx: Tx) => Promise<string[]>,
): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const ids = await find(tx);
    const deployments = await lockDeployments(tx, ids);
    const said = reason("task.wait_skipped", { actor: actor.name, note: note || "no reason given" });
    for (const id of await endWaits(tx, ids, said)) {
      await recordAudit(deps.db, tx, actor, "task.skip", `task:${id}`, { note });
    }
    await moveDeployments(deps.db, tx, deployments);
  });
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}

/** In the caller's transaction, which holds the deployment's row. @returns those that ended */
export async function endWaits(tx: Tx, ids: readonly string[], said: Reason): Promise<string[]> {
  const ended = await tx<EndedTask[]>`
    update task t set state = 'success', reason = ${
    tx.json(said as never)
  }, completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now(),
      started_at = coalesce(started_at, boreas_now()), agent_id = null, lease_expires_at = null
    where t.id = any(${[...ids]}::uuid[]) and ${isWait(tx)}
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
  await settleTasks(tx, ended);
  return ended.map((task) => task.id);
}
