/**
 * Takes tasks back from agents that no longer hold them: hands them out again, or ends them. In the caller's
 * transaction, which holds the deployments' rows.
 */
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import { retryDelaySeconds } from "../../domain/retry_delay.ts";
import type { Chance } from "../../domain/ports.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { Tx } from "../database.ts";
import { settleTasks } from "./settle_tasks.ts";
import type { EndedTask } from "./settle_tasks.ts";

/**
 * An agent that dies with the same task again and again is killed by it: it is not handed out for ever. Each time counts,
 * begun or not: an agent that dies of the message itself says as little as one whose connection broke before it came.
 */
export const MAX_LOSSES = 5;

export interface LostTask extends EndedTask {
  attempt: number;
  losses: number;
  agent: string;
}

export async function loseTasks(
  tx: Tx,
  lost: readonly LostTask[],
  say: (task: LostTask) => Reason,
  chance: Chance,
): Promise<void> {
  const ended: EndedTask[] = [];
  const begun = await countBegun(tx, lost.filter(isLast));
  for (const task of lost) {
    if (task.state === "cancelling") {
      const detail =
        `${task.agent} went away before it answered; its lease has ended, and it stops such work by itself.`;
      ended.push({ ...task, state: "cancelled", reason: reason("task.cancelled", { detail }) });
    } else if (isLast(task)) {
      const { agent, attempt } = task;
      const counts = { count: task.losses + 1, begun: begun.get(task.id) ?? 0 };
      ended.push({ ...task, state: "failed", reason: reason("task.losses_used_up", { agent, attempt, ...counts }) });
    } else {
      const said = say(task);
      const delay = task.losses === 0 ? 0 : retryDelaySeconds(task.losses, chance());
      await tx`
        with back as (
          update task set state = 'pending', losses = losses + 1, agent_id = null, lease_expires_at = null, reason = ${
        tx.json(said as never)
      },
            run_after = boreas_now() + make_interval(secs => ${delay}), state_since = boreas_now(), updated_at = boreas_now()
          where id = ${task.id} returning *
        )
        insert into event (project_id, topic, subject_id, deployment_id, kind, data)
        select project_id, 'task', id, deployment_id, 'task.lost', jsonb_build_object('name', name, 'reason', reason) from back`;
    }
  }
  if (ended.length === 0) return;
  const rows = ended.map((t) => ({ id: t.id, state: t.state satisfies TaskState, reason: t.reason }));
  await tx`
    update task t set state = r.state, reason = r.reason, agent_id = null, lease_expires_at = null,
      state_since = boreas_now(), updated_at = boreas_now(), completed_at = boreas_now()
    from jsonb_to_recordset(${tx.json(rows as never)}) as r(id uuid, state text, reason jsonb) where t.id = r.id`;
  await settleTasks(tx, ended);
}

const isLast = (task: LostTask) => task.losses + 1 >= MAX_LOSSES;

/** Attempts of which an agent said that it had begun: one that is lost with its master's memory is missing among them. */
async function countBegun(tx: Tx, tasks: readonly LostTask[]): Promise<Map<string, number>> {
  if (tasks.length === 0) return new Map();
  const rows = await tx<{ id: string; begun: number }[]>`
    select subject_id as id, count(*)::int as begun from event
    where deployment_id = any(${tasks.map((task) => task.deploymentId)}::uuid[])
      and subject_id = any(${tasks.map((task) => task.id)}::uuid[]) and kind = 'task.running' group by subject_id`;
  return new Map(rows.map((row) => [row.id, row.begun]));
}
