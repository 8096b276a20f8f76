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
import { findMovable, move, readMovable } from "../deployments/move_deployments.ts";
import { keepMeasurements } from "../gates/keep_measurements.ts";
import { recordEvents } from "../events/record_event.ts";
import { Closing, inTransaction } from "../retry.ts";
import { claim } from "./claim_tasks.ts";
import type { ClaimedTask, FreeSlots } from "./claim_tasks.ts";
import { appStateColumns, forgetAppState, recordAppState } from "./record_app_state.ts";
import type { AppPlace } from "./record_app_state.ts";
import { MAX_LOSSES } from "./lose_tasks.ts";
import { moveOn } from "./move_on.ts";
import { lockDeployments, settle } from "./settle_tasks.ts";
import type { EndedTask } from "./settle_tasks.ts";
import { wakeDependents } from "./wake_dependents.ts";

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
  return (await finishAndHandOn(db, results, chance, [], 0)).taken;
}

export interface Finished {
  taken: string[];
  claimed: ClaimedTask[];
  /** Because of them, more may be ready now than was handed out. */
  isMore: boolean;
}

/** The same; and what these tasks were the last to keep waiting is handed out with the same commit. */
export async function finishAndHandOn(
  db: Database,
  results: readonly TaskResult[],
  chance: Chance,
  agents: readonly FreeSlots[],
  leaseSeconds: number,
): Promise<Finished> {
  if (results.length === 0) return { taken: [], claimed: [], isMore: false };
  const byId = new Map(results.map((r) => [r.taskId, r]));
  return await inTransaction<Finished>(db, async (tx) => {
    const [failed, others] = split([...byId.values()], (r) => r.outcome.status === "failed");
    // Statements that need nothing of each other's answers are sent together; the connection keeps their order.
    const [deployments, well, held, movable] = await Promise.all([
      lockDeployments(tx, [...byId.keys()]),
      endTasks(tx, others.map((result) => ({ ...result, ...sayEnd(result.outcome) }))),
      readFailed(tx, failed),
      findMovable(tx, [...byId.keys()]),
    ]);
    const over: Ending[] = [];
    for (const task of held) {
      const result = byId.get(task.id)!;
      const moved = await moveOn(tx, task, result.agentId, result.outcome);
      const again = moved === true || !moved && await tryAgain(tx, task, result.outcome, chance);
      if (!again) {
        over.push({ ...result, ...(moved ? { state: "failed", reason: moved } : sayFailure(task, result.outcome)) });
      }
    }
    const ended = [...well.ended, ...(await endTasks(tx, over)).ended];
    await keepMeasurements(tx, ended, (id) => byId.get(id)?.outcome);
    db.crashPoint?.("finish.ended");
    const { events, woken, isWider, written } = await settle(tx, ended);
    const ready = [...well.woken, ...woken];
    db.crashPoint?.("finish.settled");
    const again = held.filter((t) => !over.some((o) => o.taskId === t.id));
    const taken = [...ended, ...again].map((t) => t.id);
    // Nothing is handed on of a deployment that may have a move to make, so neither waits for the other.
    // Where nothing else has ended since moves were looked for, and none was found, there is none.
    const isStill = movable.length === 0 && held.length === 0 && !isWider;
    // Told first: a task is ready before it is handed on.
    const telling = recordEvents(tx, events);
    const handingOn = ready.length > 0 ? claim(tx, agents, leaseSeconds, ready) : Promise.resolve([]);
    const closing = new Closing<Finished>([telling, handingOn, ...written], async () => {
      const claimed = await handingOn;
      return { taken, claimed, isMore: !isStill || claimed.length < ready.length };
    });
    if (!isStill) { for (const row of await readMovable(tx, deployments)) await move(db, tx, row); }
    db.crashPoint?.("finish.moved");
    return closing;
  });
}

type Ending = TaskResult & Pick<EndedTask, "state" | "reason">;

function sayEnd(outcome: Outcome): Pick<EndedTask, "state" | "reason"> {
  return outcome.status === "success"
    ? { state: "success", reason: reason("task.succeeded", { detail: outcome.message || "Done." }) }
    : {
      state: "cancelled",
      reason: reason("task.cancelled", { detail: outcome.message || "Cancelled; the work has stopped." }),
    };
}

/** A cancel wins over a failure: somebody asked for the end, and it has come. It does not win over a success. */
function sayFailure(task: HeldTask, outcome: Outcome): Pick<EndedTask, "state" | "reason"> {
  if (task.state === "cancelling") return sayEnd({ ...outcome, status: "cancelled" });
  const attempt = task.attempt - task.losses;
  return {
    state: "failed",
    reason: attempt > 1
      ? reason("task.attempts_used_up", { attempt, detail: outcome.message })
      : reason("task.failed", { detail: outcome.message || "It failed without saying why." }),
  };
}

/** Of those that say they failed, the ones whose lease holds: what they were decides whether they are tried again. */
async function readFailed(tx: Tx, failed: readonly TaskResult[]): Promise<HeldTask[]> {
  if (failed.length === 0) return [];
  const [ids, fences, agents] = [
    failed.map((r) => r.taskId),
    failed.map((r) => r.fence),
    failed.map((r) => r.agentId),
  ];
  return await tx<HeldTask[]>`
    select t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason, t.attempt, t.losses, t.max_attempts
    from task t, unnest(${ids}::uuid[], ${fences}::bigint[], ${agents}::uuid[]) as r(id, fence, agent_id)
    where t.id = r.id and t.fence = r.fence and t.agent_id is not distinct from r.agent_id and t.state in ('leased', 'running', 'cancelling')
    order by t.id for update of t`;
}

interface Ended {
  ended: EndedTask[];
  /** Ready now: nothing they waited for is left. */
  woken: string[];
}

/** Writes the ends of those whose lease holds, and with them what now runs where, and who goes on because of it. */
async function endTasks(tx: Tx, endings: readonly Ending[]): Promise<Ended> {
  if (endings.length === 0) return { ended: [], woken: [] };
  const said = endings.map((e) => ({
    id: e.taskId,
    fence: e.fence,
    agent: e.agentId,
    state: e.state,
    reason: e.reason,
    result: e.outcome,
  }));
  const rows = await tx<
    (EndedTask & { isWoken: boolean; gone: AppPlace | null })[]
  >`
    with ended as (
      update task t set state = r.state, reason = r.reason, result = r.result, agent_id = null, lease_expires_at = null,
        state_since = boreas_now(), updated_at = boreas_now(), completed_at = boreas_now()
      from jsonb_to_recordset(${tx.json(said as never)})
        as r(id uuid, fence bigint, agent uuid, state text, reason jsonb, result jsonb)
      where t.id = r.id and t.fence = r.fence and t.agent_id is not distinct from r.agent and t.state in ('leased', 'running', 'cancelling')
      returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason, t.position, ${
    appStateColumns(tx)
  }
    ), ${recordAppState(tx)}, ${
    wakeDependents(
      tx,
      tx`select d.task_id from task_dependency d where d.depends_on = any(array(select id from ended where state = 'success'))`,
    )
  }, changed as (
      select 1 as turn, ${what(tx)}, case when state = 'success' and action = 'remove'
        then jsonb_build_object('environmentId', environment_id, 'appId', app_id, 'target', target) end as gone from ended
      union all select 2, ${what(tx)}, null from woken where state = 'pending'
    ), noted as (
      insert into event (project_id, topic, subject_id, deployment_id, kind, data)
      select project_id, 'task', id, deployment_id, 'task.' || state, jsonb_build_object('name', name, 'reason', reason)
      from changed order by turn, position, id
    )
    select ${what(tx)}, turn = 2 as is_woken, gone from changed`;
  await forgetAppState(tx, rows.flatMap((row) => row.gone ?? []));
  return {
    ended: rows.filter((row) => !row.isWoken).map(({ gone: _, ...row }) => ({ ...row, isTold: true })),
    woken: rows.filter((row) => row.isWoken).map((row) => row.id),
  };
}
const what = (tx: Tx) => tx`id, project_id, deployment_id, parent_id, name, state, reason, position`;

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

function split<T>(items: readonly T[], is: (item: T) => boolean): [T[], T[]] {
  return [items.filter(is), items.filter((item) => !is(item))];
}
