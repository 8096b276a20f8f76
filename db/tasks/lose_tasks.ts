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

/** An agent that dies with the same task again and again is killed by it: it is not handed out for ever. */
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
  for (const task of lost) {
    const said = say(task);
    if (task.state === "cancelling") {
      const detail =
        `${task.agent} went away before it answered; its lease has ended, and it stops such work by itself.`;
      ended.push({ ...task, state: "cancelled", reason: reason("task.cancelled", { detail }) });
    } else if (task.losses + 1 >= MAX_LOSSES) {
      ended.push({
        ...task,
        state: "failed",
        reason: reason("task.attempts_used_up", { attempt: task.attempt, detail: said.text }),
      });
    } else {
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
