/** Finish, lose, reap: `db/tasks/finish_tasks.ts`, `lose_tasks.ts`, `reap_tasks.ts`. */
import { MAX_LOSSES } from "../../../db/tasks/lose_tasks.ts";
import type { FreeSlots } from "../../../db/tasks/claim_tasks.ts";
import type { Finished, TaskResult } from "../../../db/tasks/finish_tasks.ts";
import type { ReapOptions } from "../../../db/tasks/reap_tasks.ts";
import type { Chance } from "../../../domain/ports.ts";
import { retryDelaySeconds } from "../../../domain/retry_delay.ts";
import type { Outcome } from "../../../protocol/operation.ts";
import { claimTasks } from "./lease_verbs.ts";
import { mayMove, moveDeployments, settleTasks } from "./settling.ts";
import { byId, liveTask, moveTask } from "./tables.ts";
import type { Tables, TaskRow } from "./tables.ts";

export function finishTasks(tables: Tables, results: readonly TaskResult[], chance: Chance): string[] {
  const words = new Map(results.map((result) => [result.taskId, result]));
  const held = [...words.values()].flatMap((result) => liveTask(tables, result) ?? []).sort(byId);
  const ended = held.filter((task) => !tryAgain(tables, task, words.get(task.id)!.outcome, chance));
  for (const task of ended) {
    const { status } = words.get(task.id)!.outcome;
    // A cancel wins over a failure, never over a success.
    const state = task.state === "cancelling" && status === "failed" ? "cancelled" : status;
    const again = task.attempt - task.losses > 1;
    const failure = again ? "task.attempts_used_up" : "task.failed";
    moveTask(task, state, state === "success" ? "task.succeeded" : state === "cancelled" ? "task.cancelled" : failure);
  }
  settleTasks(tables, ended);
  moveDeployments(tables, held.map((task) => task.deploymentId));
  return held.map((task) => task.id);
}

export function finishAndHandOn(
  tables: Tables,
  results: readonly TaskResult[],
  chance: Chance,
  agents: readonly FreeSlots[],
  leaseSeconds: number,
): Finished {
  const blocked = [...tables.tasks.values()].filter((task) => task.state === "blocked");
  const taken = finishTasks(tables, results, chance);
  const woken = blocked.filter((t) => t.state === "pending");
  const ready = new Set(woken.filter((t) => !mayMove(tables, t.deploymentId)));
  const claimed = ready.size === 0 ? [] : claimTasks(tables, agents, leaseSeconds, (task) => ready.has(task));
  const ended = taken.map((id) => tables.tasks.get(id)!);
  const isStill = ended.every((task) => task.state === "success" && !mayMove(tables, task.deploymentId));
  return { taken, claimed, isMore: !isStill || claimed.length < woken.length };
}

/** What an agent could not begin or had to leave is its loss, not the task's failure; both have a bound. */
function tryAgain(tables: Tables, task: TaskRow, outcome: Outcome, chance: Chance): boolean {
  if (outcome.status !== "failed" || task.state === "cancelling") return false;
  const failedAttempts = task.attempt - task.losses;
  const isLoss = outcome.retryable && task.losses + 1 < MAX_LOSSES;
  if (!isLoss && failedAttempts >= task.maxAttempts) return false;
  task.runAfter = tables.now() + retryDelaySeconds(failedAttempts, chance()) * 1000;
  if (isLoss) task.losses++;
  moveTask(task, "pending", "task.retrying", "task.retrying");
  return true;
}

export function loseTasks(tables: Tables, lost: readonly TaskRow[], reason: string, chance: Chance): void {
  const ended: TaskRow[] = [];
  for (const task of lost) {
    if (task.state === "cancelling") moveTask(task, "cancelled", "task.cancelled");
    else if (task.losses + 1 >= MAX_LOSSES) moveTask(task, "failed", "task.losses_used_up");
    else {
      const seconds = task.losses === 0 ? 0 : retryDelaySeconds(task.losses, chance());
      task.runAfter = tables.now() + seconds * 1000;
      task.losses++;
      moveTask(task, "pending", reason, "task.lost");
      continue;
    }
    ended.push(task);
  }
  settleTasks(tables, ended);
}

/** @returns how many leases ended */
export function reapTasks(tables: Tables, options: ReapOptions): number {
  if (isGrace(tables, options)) return 0;
  const now = tables.now();
  const lost = [...tables.tasks.values()]
    .filter((task) => task.leaseExpiresAt !== null && task.leaseExpiresAt < now).sort(byId);
  loseTasks(tables, lost, "task.lease_expired", options.chance);
  moveDeployments(tables, lost.map((task) => task.deploymentId));
  return lost.length;
}

/**
 * After a start, or when nobody swept for longer than a lease, nobody could renew: no lease ends until the grace is over.
 * Starts make a grace longer, to twice its length.
 */
function isGrace(tables: Tables, { leaseSeconds, graceSeconds, isReturn = false }: ReapOptions): boolean {
  const [now, grace, last] = [tables.now(), graceSeconds * 1000, tables.sweep];
  if (!last || last.at < now - leaseSeconds * 1000 || (isReturn && last.at >= last.graceUntil)) {
    tables.sweep = { at: now, graceSince: now, graceUntil: now + grace };
  } else {
    last.at = now;
    const longest = Math.min(now + grace, last.graceSince + 2 * grace);
    if (isReturn) last.graceUntil = Math.max(last.graceUntil, longest);
  }
  return tables.sweep!.graceUntil > now && tables.guards.grace;
}
