import { AppError } from "../../domain/app_error.ts";
import { whyNoVote } from "../../domain/approval_rule.ts";
import type { Voter } from "../../domain/approval_rule.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";
import type { ApprovalRequestRow } from "./read_request.ts";

export type Decision = "approve" | "reject";

/**
 * Writes one person's word, bound to the plan as it is. One row per person and plan: the unique key is the guard, also
 * for a person and a token of theirs at the same moment. The caller holds the deployment's row.
 * @throws AppError forbidden (`approval.person`, `approval.own`, `approval.role`), conflict (`approval.repeated`)
 */
export async function castVote(
  db: Database,
  tx: Tx,
  request: ApprovalRequestRow,
  actor: Actor,
  decision: Decision,
  note: string,
): Promise<void> {
  const voter = await readVoter(tx, actor);
  const why = whyNoVote(request.rule, voter, request.authors);
  if (why) throw new AppError("forbidden", why.code, why.text);
  const votes = await tx`
    insert into approval (id, project_id, deployment_id, task_id, user_id, actor, decision, plan_hash, note)
    values (${db.newId()}, ${request.projectId}, ${request.deploymentId}, ${request.taskId}, ${voter.userId}, ${actor.name},
      ${decision}, ${request.bound}, ${note})
    on conflict do nothing returning id`;
  if (votes.length === 0) throw new AppError("conflict", "approval.repeated", "You have already voted on this plan.");
  const [kind, id] = request.taskId ? ["task", request.taskId] : ["deployment", request.deploymentId];
  await recordAudit(db, tx, actor, `${kind}.${decision}`, `${kind}:${id}`, {
    note,
    planHash: request.planHash,
    commit: request.commit,
  });
}

/** A token acts for its person: whose vote it is does not depend on how they signed in. */
export async function readVoter(tx: Tx | Database["sql"], actor: Actor): Promise<Voter> {
  const [user] = actor.userId === null ? [] : await tx<{ username: string; email: string | null }[]>`
    select username, email from app_user where id = ${actor.userId}`;
  if (!user) throw new AppError("forbidden", "approval.person", "Only a person can approve or reject.");
  return { userId: actor.userId!, username: user.username, email: user.email, role: actor.role, base: actor.base };
}
