/**
 * Accepts the words of agents on how their tasks ended, many at once, each only under its live fence.
 *
 *   result -> (leased | running | cancelling) -> success | failed | cancelled, or back to pending for another attempt
 *
 * Unblocking, roll-up, the deployment's own move and every event commit with it.
 */
import { reason } from "../../domain/reason.ts";
import { retryDelaySeconds } from "../../domain/retry_delay.ts";
import type { Chance } from "../../domain/ports.ts";
import type { Outcome } from "../../protocol/operation.ts";
import type { Database, Tx } from "../database.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { inTransaction } from "../retry.ts";
import { recordAppState } from "./record_app_state.ts";
import { MAX_LOSSES } from "./lose_tasks.ts";
import { lockDeployments, settleTasks } from "./settle_tasks.ts";
import type { EndedTask } from "./settle_tasks.ts";

export interface TaskResult {
  taskId: string;
  fence: number;
  /** Who says so: only the holder of the lease is believed. */
  agentId: string;
  outcome: Outcome;
}
interface HeldTask extends EndedTask {
  attempt: number;
  losses: number;
  maxAttempts: number;
}

/** @returns the ids whose lease still held; the others belong to a newer claim or ended before */
export async function finishTasks(db: Database, results: readonly TaskResult[], chance: Chance): Promise<string[]> {
  if (results.length === 0) return [];
  const byId = new Map(results.map((r) => [r.taskId, r]));
  const [ids, fences, agents] = [
    [...byId.keys()],
    [...byId.values()].map((r) => r.fence),
    [...byId.values()].map((r) => r.agentId),
  ];
  return await inTransaction(db, async (tx) => {
    const deployments = await lockDeployments(tx, ids);
    const held = await tx<HeldTask[]>`
      select t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason, t.attempt, t.losses, t.max_attempts
      from task t, unnest(${ids}::uuid[], ${fences}::bigint[], ${agents}::uuid[]) as r(id, fence, agent_id)
      where t.id = r.id and t.fence = r.fence and t.agent_id = r.agent_id and t.state in ('leased', 'running', 'cancelling')
      order by t.id for update of t`;
    const ended: EndedTask[] = [];
    for (const task of held) {
      const { outcome } = byId.get(task.id)!;
      const again = await tryAgain(tx, task, outcome, chance);
      if (!again) ended.push(endOf(task, outcome));
    }
    await writeEnds(tx, ended, byId);
    db.crashPoint?.("finish.ended");
    await recordAppState(tx, ended.map((t) => t.id));
    await settleTasks(tx, ended);
    db.crashPoint?.("finish.settled");
    await moveDeployments(db, tx, deployments);
    db.crashPoint?.("finish.moved");
    return held.map((t) => t.id);
  });
}

/** A cancel wins over a failure: somebody asked for the end, and it has come. It does not win over a success. */
function endOf(task: HeldTask, outcome: Outcome): EndedTask {
  const state = task.state === "cancelling" && outcome.status === "failed" ? "cancelled" : outcome.status;
  const failedAttempts = task.attempt - task.losses;
  const said = state === "success"
    ? reason("task.succeeded", { detail: outcome.message || "Done." })
    : state === "cancelled"
    ? reason("task.cancelled", { detail: outcome.message || "Cancelled; the work has stopped." })
    : failedAttempts > 1
    ? reason("task.attempts_used_up", { attempt: failedAttempts, detail: outcome.message })
    : reason("task.failed", { detail: outcome.message || "It failed without saying why." });
  return { ...task, state, reason: said };
}

async function tryAgain(tx: Tx, task: HeldTask, outcome: Outcome, chance: Chance): Promise<boolean> {
  if (outcome.status !== "failed" || task.state === "cancelling") return false;
  const failedAttempts = task.attempt - task.losses;
  // What an agent could not begin or had to leave is its loss, not the task's failure; both have a bound.
  const isLoss = outcome.retryable && task.losses + 1 < MAX_LOSSES;
  if (!isLoss && failedAttempts >= task.maxAttempts) return false;
  const delay = retryDelaySeconds(failedAttempts, chance());
  const said = reason("task.retrying", { attempt: task.attempt, detail: outcome.message, seconds: Math.ceil(delay) });
  await tx`
    with again as (
      update task set state = 'pending', agent_id = null, lease_expires_at = null, state_since = boreas_now(), updated_at = boreas_now(),
        run_after = boreas_now() + make_interval(secs => ${delay}), reason = ${tx.json(said as never)},
        result = ${tx.json(outcome as never)}, losses = losses + ${isLoss ? 1 : 0}
      where id = ${task.id} returning *
    )
    insert into event (project_id, topic, subject_id, deployment_id, kind, data)
    select project_id, 'task', id, deployment_id, 'task.retrying', jsonb_build_object('name', name, 'reason', reason) from again`;
  return true;
}

async function writeEnds(tx: Tx, ended: readonly EndedTask[], byId: Map<string, TaskResult>): Promise<void> {
  if (ended.length === 0) return;
  const rows = ended.map((t) => ({ id: t.id, state: t.state, reason: t.reason, result: byId.get(t.id)!.outcome }));
  await tx`
    update task t set state = r.state, reason = r.reason, result = r.result, agent_id = null, lease_expires_at = null,
      state_since = boreas_now(), updated_at = boreas_now(), completed_at = boreas_now()
    from jsonb_to_recordset(${tx.json(rows as never)}) as r(id uuid, state text, reason jsonb, result jsonb)
    where t.id = r.id`;
}
