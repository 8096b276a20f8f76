import { chooseRetry } from "../../domain/choose_retry.ts";
import type { RetryTask } from "../../domain/choose_retry.ts";
import { reason } from "../../domain/reason.ts";
import type { Actor, Tx } from "../database.ts";
import { pendingEvent, recordEvents } from "../events/record_event.ts";
import { dueWhenBegun, sayBegun } from "./begin_wait.ts";

/**
 * A person's "try again": the only move out of a final state, and it begins a new attempt under the next fence. Failed
 * and cancelled leaves are taken up again, and what was skipped because of them waits again.
 * @param only tasks of the deployment (leaves, and parents for all their parts), at once: one after the other, a whole
 *   would have begun with the first of its parts because the others had not been taken up yet; null for all of it
 * @returns how many leaves were taken up again
 */
export async function reopenTasks(
  tx: Tx,
  deploymentId: string,
  only: readonly string[] | null,
  actor: Actor,
): Promise<number> {
  const tasks = await tx<RetryTask[]>`
    select t.id, t.parent_id, t.state, t.max_failures, t.state = 'skipped' and t.payload ? 'leftOut' as is_left_out,
      coalesce((select array_agg(d.depends_on) from task_dependency d where d.task_id = t.id), '{}') as depends_on
    from task t where t.deployment_id = ${deploymentId} and not t.is_rollback order by t.position`;
  const { again, reopened, unmet } = chooseRetry(tasks, only);
  if (again.size === 0) return 0;
  // A step that asks again asks them all: the no that ended it stays written, and is no vote on what is asked now.
  await tx`update approval set plan_hash = plan_hash || ':' || id where deployment_id = ${deploymentId}
    and task_id = any(${[...reopened]}::uuid[]) and decision = 'reject' and plan_hash not like '%:' || id`;
  const waits = [...unmet].filter(([id]) => !reopened.has(id));
  // What a tolerated failure had let go waits once more, as long as it has not begun.
  await tx`update task t set unmet = w.unmet, state = 'blocked', updated_at = boreas_now(),
      state_since = case when t.state = 'blocked' then t.state_since else boreas_now() end,
      reason = case when t.state = 'blocked' then t.reason else ${
    tx.json(reason("task.waiting_for_dependencies", { names: "what is tried again" }) as never)
  } end from unnest(${waits.map(([id]) => id)}::uuid[], ${
    waits.map(([, n]) => n)
  }::int[]) as w(id, unmet) where t.id = w.id and w.unmet > 0 and t.state in ('blocked', 'pending')`;
  // And what waited for one failure too many begins, when those that stay are within what is tolerated.
  const free = await tx<(Parameters<typeof pendingEvent>[0])[]>`
    update task t set unmet = 0, state = 'pending', state_since = boreas_now(), updated_at = boreas_now(),
      run_after = ${dueWhenBegun(tx)}, reason = ${sayBegun(tx)}
    where t.id = any(${waits.filter(([, n]) => n === 0).map(([id]) => id)}::uuid[]) and t.state = 'blocked'
    returning t.id, t.project_id, t.deployment_id, t.name, t.reason`;
  await recordEvents(tx, free.map(pendingEvent));
  await tx`
    with again as (
      select t.id, w.unmet, exists (select 1 from task c where c.parent_id = t.id and (c.state in ('success', 'leased', 'running', 'cancelling')
          or c.state = 'failed' and c.id <> all(${[...reopened]}::uuid[]))) as begun
      from task t join unnest(${[...reopened]}::uuid[], ${
    [...reopened].map((id) => unmet.get(id)!)
  }::int[]) as w(id, unmet) on w.id = t.id
    )
    update task t set unmet = case when a.begun then 0 else a.unmet end,
      state = case when a.begun then 'running' when a.unmet > 0 then 'blocked' else 'pending' end, completed_at = null, open = true,
      losses = 0, max_attempts = greatest(t.max_attempts, t.attempt + 1),
      run_after = boreas_now() + make_interval(secs => case when t.type in ('pause', 'gate') and t.payload ? 'pauseSeconds' then (t.payload ->> 'pauseSeconds')::float8 else 0 end), state_since = boreas_now(), updated_at = boreas_now(),
      reason = ${tx.json(reason("task.retry_asked", { actor: actor.name }) as never)}
    from again a where a.id = t.id`;
  return again.size;
}
