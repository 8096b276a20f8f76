/**
 * People's word on an `approve` step of a plan.
 *
 *   pending (asks) --yes, the last that was missing--> success: what comes behind it goes on
 *       |    '--yes, others missing--> pending, and says how many
 *       '--one no--> failed, for which nothing is tolerated
 */
import { AppError } from "../../domain/app_error.ts";
import { sayRoles } from "../../domain/approval_rule.ts";
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { Actor, Database, Tx } from "../database.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { pendingEvent, recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments, settleTasks } from "../tasks/settle_tasks.ts";
import type { EndedTask } from "../tasks/settle_tasks.ts";
import { castVote } from "./cast_vote.ts";
import type { Decision } from "./cast_vote.ts";
import { readApprovers, readTaskRequest } from "./read_request.ts";
import type { ApprovalRequestRow } from "./read_request.ts";

export const approveTask = (deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> =>
  voteOnTask(deps, id, actor, "approve", note);
export const rejectTask = (deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> =>
  voteOnTask(deps, id, actor, "reject", note);

async function voteOnTask(deps: DeploymentDeps, id: string, actor: Actor, decision: Decision, note: string) {
  await inTransaction(deps.db, (tx) => voteOnTaskIn(deps.db, tx, id, actor, decision, note));
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}

/** In the caller's transaction. @param check looks at the request once it is held */
export async function voteOnTaskIn(
  db: Database,
  tx: Tx,
  id: string,
  actor: Actor,
  decision: Decision,
  note: string,
  check: (request: ApprovalRequestRow) => void = () => {},
): Promise<void> {
  const deployments = await lockDeployments(tx, [id]);
  const [task] = await tx<(EndedTask & { type: string })[]>`
    select id, project_id, deployment_id, parent_id, name, type, state, reason from task
    where id = ${id} and project_id = ${actor.projectId} for update`;
  if (!task) throw new AppError("not_found", "task.not_found", `There is no task ${id} in this project.`);
  if (task.type !== "approval" || task.state !== "pending") {
    const what = task.type !== "approval"
      ? "is no approval"
      : task.state === "blocked"
      ? "does not ask yet: what comes before it goes on"
      : `has ended: ${task.reason.text}`;
    throw new AppError("conflict", "approval.not_waiting", `${task.name} ${what}.`.replace("..", "."));
  }
  const request = await readTaskRequest(tx, id);
  check(request);
  await castVote(db, tx, request, actor, decision, note);
  if (decision === "reject") {
    const said = reason("task.rejected", { actor: actor.name, note: note || "no reason given" });
    await endRequest(tx, task, "failed", said);
  } else {
    const approvers = await readApprovers(tx, request);
    if (approvers.length < request.rule.count) return await sayProgress(tx, task, request, approvers.length);
    await endRequest(tx, task, "success", reason("task.approved", { actors: approvers.join(", ") }));
  }
  await moveDeployments(db, tx, deployments);
}

async function sayProgress(tx: Tx, task: EndedTask, request: ApprovalRequestRow, given: number): Promise<void> {
  const said = sayAsking(request, given);
  await tx`update task set reason = ${tx.json(said as never)}, updated_at = boreas_now() where id = ${task.id}`;
  await recordEvents(tx, [pendingEvent({ ...task, reason: said })]);
}

/** How many are missing, of whom, and until when it is asked. */
export function sayAsking({ rule, since }: Pick<ApprovalRequestRow, "rule" | "since">, given: number): Reason {
  const params = { missing: Math.max(0, rule.count - given), count: rule.count, roles: sayRoles(rule) };
  if (rule.expiresSeconds === null) return reason("task.approval_given", params);
  return reason("task.approval_given_until", { ...params, until: expiryOf({ rule, since })! });
}

export const expiryOf = ({ rule, since }: Pick<ApprovalRequestRow, "rule" | "since">): string | null =>
  rule.expiresSeconds === null
    ? null
    : new Date(Date.parse(since) + rule.expiresSeconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");

export async function endRequest(tx: Tx, task: EndedTask, state: "success" | "failed", said: Reason): Promise<void> {
  const result = state === "failed" ? { status: "failed", code: "approval.rejected", message: said.text } : null;
  const ended = await tx<EndedTask[]>`
    update task t set state = ${state}, reason = ${tx.json(said as never)}, result = ${
    result ? tx.json(result) : null
  }, completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now(),
      started_at = coalesce(started_at, boreas_now())
    where t.id = ${task.id} and t.state = 'pending'
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
  await settleTasks(tx, ended);
}
