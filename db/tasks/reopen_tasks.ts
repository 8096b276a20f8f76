import type { Tx } from "../database.ts";
import type { Actor } from "../database.ts";
import { reason } from "../../domain/reason.ts";

/**
 * A person's "try again": the only move out of a final state, and it begins a new attempt under the next fence. Failed
 * and cancelled leaves are taken up again, and what was skipped because of them waits again.
 * @param only a task of the deployment (a leaf, or a parent for all its parts); null for all of it
 * @returns how many leaves were taken up again
 */
export async function reopenTasks(tx: Tx, deploymentId: string, only: string | null, actor: Actor): Promise<number> {
  const reopened = await tx<{ id: string }[]>`
    select t.id from task t where t.deployment_id = ${deploymentId} and not t.is_rollback
      and (t.state in ('failed', 'cancelled') and (${only}::uuid is null or t.id = ${only}::uuid or t.parent_id = ${only}::uuid
          or t.id = (select parent_id from task where id = ${only}::uuid))
        or t.state = 'skipped')`;
  const ids = reopened.map((r) => r.id);
  const rows = await tx<{ isLeaf: boolean; wasFailed: boolean }[]>`
    with again as (
      select t.id, t.state as old_state, (select count(*)::int from task_dependency d join task b on b.id = d.depends_on
        where d.task_id = t.id and (b.state <> 'success' or b.id = any(${ids}::uuid[]))) as unmet,
        exists (select 1 from task c where c.parent_id = t.id and c.state in ('success', 'leased', 'running', 'cancelling')) as begun
      from task t where t.id = any(${ids}::uuid[])
    )
    update task t set unmet = case when a.begun then 0 else a.unmet end,
      state = case when a.begun then 'running' when a.unmet > 0 then 'blocked' else 'pending' end, completed_at = null, open = true,
      losses = 0, max_attempts = t.attempt + 1, run_after = boreas_now(), state_since = boreas_now(), updated_at = boreas_now(),
      reason = ${tx.json(reason("task.retry_asked", { actor: actor.name }) as never)}
    from again a where a.id = t.id returning t.is_leaf, a.old_state in ('failed', 'cancelled') as was_failed`;
  return rows.filter((r) => r.isLeaf && r.wasFailed).length;
}
