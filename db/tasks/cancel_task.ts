import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { isFinal } from "../../domain/task_state.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments, settleTasks } from "./settle_tasks.ts";
import type { EndedTask } from "./settle_tasks.ts";

/** Ends one task and, of a parent, all its parts. What an agent holds becomes `cancelling` until its word comes. */
export async function cancelTask(deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const deployments = await lockDeployments(tx, [id]);
    const [task] = await tx<
      EndedTask[]
    >`select id, name, state from task where id = ${id} and project_id = ${actor.projectId}`;
    if (!task) throw new AppError("not_found", "task.not_found", `There is no task ${id} in this project.`);
    if (isFinal(task.state)) {
      throw new AppError("conflict", "task.wrong_state", `${task.name} has already ended (${task.state}).`);
    }
    // First what waits, then what is held: what a claim takes in between is asked to stop all the same.
    const detail = `${actor.name} cancelled it${note ? `: ${note}` : "."}`;
    const ended = await tx<EndedTask[]>`
      update task t set state = 'cancelled', completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now(),
        reason = ${tx.json(reason("task.cancelled", { detail }) as never)}
      where (t.id = ${id} or t.parent_id = ${id}) and t.state in ('blocked', 'pending')
        and not exists (select 1 from task c where c.parent_id = t.id and c.state not in ('blocked', 'pending'))
      returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
    await tx`
      with asked as (
        update task t set state = 'cancelling', state_since = boreas_now(), updated_at = boreas_now(),
          reason = ${tx.json(reason("task.cancelling", { agent: "its agent" }) as never)}
        where (t.id = ${id} or t.parent_id = ${id}) and t.is_leaf and t.state in ('leased', 'running')
        returning t.id, t.project_id, t.deployment_id, t.name, t.reason
      )
      insert into event (project_id, topic, subject_id, deployment_id, kind, data)
      select project_id, 'task', id, deployment_id, 'task.cancelling', jsonb_build_object('name', name, 'reason', reason) from asked`;
    await settleTasks(tx, ended);
    await recordAudit(deps.db, tx, actor, "task.cancel", `task:${id}`, { note });
    await moveDeployments(deps.db, tx, deployments);
  });
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}
