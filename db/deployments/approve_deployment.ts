import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Tx } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { changeDeployment } from "./change_deployment.ts";
import type { DeploymentDeps, EnvironmentRow } from "./load_plan.ts";
import { lockDeployment, sayMissingApprovals } from "./lock_deployment.ts";
import type { LockedDeployment } from "./lock_deployment.ts";
import { startLocked } from "./start_deployment.ts";

/** Approves the plan as it stands; with the last approval it starts. One vote per person and plan. */
export async function approveDeployment(deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> {
  await vote(deps, id, actor, "approve", note, async (tx, row) => {
    const missing = await sayMissingApprovals(tx, row);
    if (missing) return await changeDeployment(tx, row, "awaiting_approval", missing);
    await startLocked(deps, tx, row, actor);
  });
  deps.hints.announce("tasks");
}

/** Ends a deployment that waits for approval. */
export async function rejectDeployment(deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> {
  await vote(deps, id, actor, "reject", note, async (tx, row) => {
    await changeDeployment(
      tx,
      row,
      "cancelled",
      reason("deployment.rejected", { actor: actor.name, note: note || "no reason given" }),
    );
  });
}

async function vote(
  deps: DeploymentDeps,
  id: string,
  actor: Actor,
  decision: "approve" | "reject",
  note: string,
  then: (tx: Tx, row: LockedDeployment) => Promise<void>,
): Promise<void> {
  if (!actor.userId) throw new AppError("forbidden", "approval.person", "Only a person can approve or reject.");
  await inTransaction(deps.db, async (tx) => {
    const row = await lockDeployment(tx, id, actor.projectId);
    const waits = row.status === "awaiting_approval" || (row.status === "pending" && row.approvalsNeeded > 0);
    if (!waits) {
      throw new AppError(
        "conflict",
        "approval.not_waiting",
        `This deployment is ${row.status} and waits for no approval.`,
      );
    }
    await checkVoter(tx, row, actor);
    const votes = await tx`
      insert into approval (id, project_id, deployment_id, user_id, actor, decision, plan_hash, note)
      values (${deps.db.newId()}, ${row.projectId}, ${id}, ${actor.userId}, ${actor.name}, ${decision}, ${row.planHash}, ${note})
      on conflict do nothing returning id`;
    if (votes.length === 0) throw new AppError("conflict", "approval.repeated", "You have already voted on this plan.");
    await recordAudit(deps.db, tx, actor, `deployment.${decision}`, `deployment:${id}`, {
      note,
      planHash: row.planHash,
    });
    await then(tx, row);
  });
  deps.hints.announce("events");
}

async function checkVoter(tx: Tx, row: LockedDeployment, actor: Actor): Promise<void> {
  const [environment] = await tx<
    Pick<EnvironmentRow, "policy" | "name">[]
  >`select name, policy from environment where id = ${row.environmentId}`;
  const rule = environment!.policy.approvals;
  if (rule?.notAuthor && row.createdBy === actor.name) {
    throw new AppError(
      "forbidden",
      "approval.own",
      `${environment!.name} does not let the one who made a deployment approve it; ask somebody else.`,
    );
  }
  if (rule?.roles && !rule.roles.includes(actor.role) && actor.role !== "admin") {
    throw new AppError(
      "forbidden",
      "approval.role",
      `${environment!.name} lets the roles ${rule.roles.join(", ")} approve; yours is ${actor.role}.`,
    );
  }
}
