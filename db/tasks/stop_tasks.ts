/** Ends tasks that nobody holds, and asks for the end of those that an agent holds. In the caller's transaction. */
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { Tx } from "../database.ts";
import { settleTasks } from "./settle_tasks.ts";
import type { EndedTask } from "./settle_tasks.ts";

/** What has not begun is skipped, with the reason. @returns how many */
export async function skipWaitingTasks(tx: Tx, deploymentId: string, said: Reason): Promise<number> {
  return await endWaiting(tx, deploymentId, "skipped", said);
}

/**
 * What has not begun is cancelled; what runs is asked to stop. The hint "tasks" makes the gateway send the word; a task
 * stays `cancelling` until its agent answers or its lease ends.
 */
export async function cancelTasks(tx: Tx, deploymentId: string, said: Reason): Promise<void> {
  await endWaiting(tx, deploymentId, "cancelled", said);
  await askToStop(tx, deploymentId);
}

async function endWaiting(tx: Tx, deploymentId: string, state: "skipped" | "cancelled", said: Reason): Promise<number> {
  const ended = await tx<EndedTask[]>`
    update task t set state = ${state}, reason = ${
    tx.json(said as never)
  }, completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now()
    where t.deployment_id = ${deploymentId} and (not t.is_rollback or t.payload ? 'cleanUp') and t.state in ('blocked', 'pending')
      and not exists (select 1 from task c where c.parent_id = t.id and c.state not in ('blocked', 'pending'))
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
  await settleTasks(tx, ended);
  return ended.length;
}

export async function askToStop(tx: Tx, deploymentId: string): Promise<void> {
  await tx`
    with asked as (
      update task t set state = 'cancelling', state_since = boreas_now(), updated_at = boreas_now(),
        reason = jsonb_build_object('code', 'task.cancelling', 'params', jsonb_build_object('agent', coalesce(a.name, 'its agent')),
          'text', format('Cancel sent to %s; waiting for its word.', coalesce(a.name, 'its agent')))
      from task s left join agent a on a.id = s.agent_id
      where s.id = t.id and t.deployment_id = ${deploymentId} and not t.is_rollback and t.is_leaf and t.state in ('leased', 'running')
      returning t.id, t.project_id, t.deployment_id, t.name, t.reason
    )
    insert into event (project_id, topic, subject_id, deployment_id, kind, data)
    select project_id, 'task', id, deployment_id, 'task.cancelling', jsonb_build_object('name', name, 'reason', reason) from asked`;
  // A wait, a measurement and a question are held by nobody: they end at once.
  const pauses = await tx<EndedTask[]>`
    update task t set state = 'cancelled', reason = ${
    tx.json(reason("task.cancelled", { detail: "The wait was cut short." }) as never)
  },
      completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now()
    where t.deployment_id = ${deploymentId} and t.type in ('pause', 'gate', 'approval') and t.state = 'pending'
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
  await settleTasks(tx, pauses);
}
