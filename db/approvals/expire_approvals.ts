/** Requests for approval whose time is over: what the rule says then is done. Looked at by the leader. */
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import { type Aside, noAside } from "../aside.ts";
import { systemActor } from "../database.ts";
import type { Tx } from "../database.ts";
import { changeDeployment } from "../deployments/change_deployment.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";
import { lockDeployment } from "../deployments/lock_deployment.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { startWaiting } from "../deployments/start_waiting.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments } from "../tasks/settle_tasks.ts";
import type { EndedTask } from "../tasks/settle_tasks.ts";
import { completeRequest, readApprovers, selectDeploymentRequests, selectTaskRequests } from "./read_request.ts";
import type { ApprovalRequestRow, RequestRow } from "./read_request.ts";
import { endRequest } from "./vote_on_task.ts";

/** What the audit calls it. */
const EXPIRY = "expiry of an approval";

/** @returns how many ended, and seconds until the next one may (null: none can) */
export async function expireApprovals(
  deps: DeploymentDeps,
  aside: Aside = noAside,
): Promise<{ ended: number; nextInSeconds: number | null }> {
  const { sql } = deps.db;
  const asking = (await sql<RequestRow[]>`
    (${selectTaskRequests(sql, sql`t.state = 'pending' and t.open and t.payload -> 'approve' ? 'expires'`)} limit 1000)
    union all
    (${
    selectDeploymentRequests(
      sql,
      sql`d.status = 'awaiting_approval' and d.retired_at is null and e.policy -> 'approvals' ? 'expires'`,
    )
  } limit 1000)`).map(completeRequest);
  const left = ({ rule, secondsWaited }: ApprovalRequestRow) => rule.expiresSeconds! - secondsWaited;
  let ended = 0;
  for (const request of asking.filter((one) => left(one) <= 0)) {
    if (
      await aside.attempt(request.taskId ?? request.id, () => inTransaction(deps.db, (tx) => expire(deps, tx, request)))
    ) {
      ended++;
    }
  }
  if (ended > 0) await startWaiting(deps, undefined, aside);
  const waiting = asking.map(left).filter((seconds) => seconds > 0);
  return { ended, nextInSeconds: waiting.length === 0 ? null : Math.min(...waiting) };
}

async function expire(deps: DeploymentDeps, tx: Tx, { taskId, id }: ApprovalRequestRow): Promise<boolean> {
  return taskId === null ? await expireDeployment(deps, tx, id) : await expireTask(deps, tx, taskId);
}

async function expireTask(deps: DeploymentDeps, tx: Tx, id: string): Promise<boolean> {
  const deployments = await lockDeployments(tx, [id]);
  const [row] = await tx<(RequestRow & EndedTask)[]>`
    select r.*, t.state, t.reason, t.parent_id from (${
    selectTaskRequests(tx, tx`t.id = ${id} and t.state = 'pending' and t.open`)
  }) r join task t on t.id = r.id`;
  const request = row && completeRequest(row);
  if (!request || !isOver(request)) return false; // answered, or asked anew, meanwhile
  const params = { given: (await readApprovers(tx, request)).length, count: request.rule.count };
  const approves = request.rule.onExpire === "approve";
  const said = reason(approves ? "task.approval_expired_approved" : "task.approval_expired", params);
  await endRequest(tx, row, approves ? "success" : "failed", said);
  await moveDeployments(deps.db, tx, deployments);
  await recordAudit(deps.db, tx, systemActor(EXPIRY, row.projectId), "task.approval_expired", `task:${id}`, params);
  return true;
}

async function expireDeployment(deps: DeploymentDeps, tx: Tx, id: string): Promise<boolean> {
  const [found] = await tx<{ projectId: string }[]>`select project_id from deployment where id = ${id}`;
  if (!found) return false;
  const row = await lockDeployment(tx, id, found.projectId);
  const [now] = await tx<RequestRow[]>`${
    selectDeploymentRequests(tx, tx`d.id = ${id} and d.status = 'awaiting_approval'`)
  }`;
  const request = now && completeRequest(now);
  if (!request || !isOver(request)) return false;
  const params = { given: (await readApprovers(tx, request)).length, count: request.rule.count };
  const actor = systemActor(EXPIRY, found.projectId);
  await recordAudit(deps.db, tx, actor, "deployment.approval_expired", `deployment:${id}`, params);
  if (request.rule.onExpire === "approve") {
    // Like one that needed none: it starts with the others that wait, or says why it cannot.
    await tx`update deployment set approvals_needed = 0, auto_start = true where id = ${id}`;
    await changeDeployment(tx, row, "pending", reason("deployment.approval_expired_approved", params));
  } else await changeDeployment(tx, row, "cancelled", reason("deployment.approval_expired", params));
  return true;
}

const isOver = ({ rule, secondsWaited }: ApprovalRequestRow) =>
  rule.expiresSeconds !== null && secondsWaited >= rule.expiresSeconds;
