import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { Actor, Database, Tx } from "../database.ts";
import { pendingEvent, recordEvents } from "../events/record_event.ts";
import { recordAudit } from "../audit/record_audit.ts";
import { completeRequest, selectTaskRequests } from "./read_request.ts";
import type { RequestRow } from "./read_request.ts";
import { sayRoles } from "../../domain/approval_rule.ts";

/**
 * The plan of a deployment has changed: votes stay written, and count no more, because they are bound to the plan they
 * were given for. Those who still ask say so, and ask anew.
 * @param oldHash what the plan's hash was
 * @returns how many votes for the deployment itself were lost by it
 */
export async function voidApprovals(
  db: Database,
  tx: Tx,
  deployment: { id: string; projectId: string },
  oldHash: string,
  actor: Actor,
): Promise<number> {
  const lost = await tx<{ taskId: string | null }[]>`
    select task_id from approval where deployment_id = ${deployment.id} and decision = 'approve'
      and (plan_hash = ${oldHash} or plan_hash like ${`${oldHash}:%`})`;
  if (lost.length === 0) return 0;
  await tx`update deployment set approvals_since = boreas_now() where id = ${deployment.id}`;
  const asking = (await tx<(RequestRow & { taskId: string })[]>`${
    selectTaskRequests(
      tx,
      tx`d.id = ${deployment.id} and t.state = 'pending' and t.id = any(${
        lost.flatMap((one) => one.taskId ?? [])
      }::uuid[])`,
    )
  }`).map(completeRequest);
  for (const { rule, taskId, name } of asking) {
    const said = reason("task.approvals_voided", { actor: actor.name, count: rule.count, roles: sayRoles(rule) });
    await tx`update task set reason = ${
      tx.json(said as never)
    }, state_since = boreas_now(), updated_at = boreas_now() where id = ${taskId}`;
    const task = {
      id: taskId!,
      projectId: deployment.projectId,
      deploymentId: deployment.id,
      name: name!,
      reason: said,
    };
    await recordEvents(tx, [pendingEvent(task)]);
  }
  await recordAudit(db, tx, actor, "approval.void", `deployment:${deployment.id}`, {
    votes: lost.length,
    planHash: oldHash,
  });
  return lost.filter((one) => one.taskId === null).length;
}

/** What a deployment says that has lost votes, or was edited before it had any. */
export const sayVoided = ({ approvalsNeeded }: { approvalsNeeded: number }, lost = 1): Reason =>
  reason(lost > 0 ? "deployment.approvals_voided" : "deployment.awaiting_approval", {
    missing: approvalsNeeded,
    count: approvalsNeeded,
  });
