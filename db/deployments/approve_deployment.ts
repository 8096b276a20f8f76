import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { castVote } from "../approvals/cast_vote.ts";
import type { Decision } from "../approvals/cast_vote.ts";
import { readDeploymentRequest } from "../approvals/read_request.ts";
import type { ApprovalRequestRow } from "../approvals/read_request.ts";
import type { Actor, Tx } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { changeDeployment } from "./change_deployment.ts";
import type { DeploymentDeps } from "./load_plan.ts";
import { lockDeployment, sayMissingApprovals } from "./lock_deployment.ts";
import { startLocked } from "./start_deployment.ts";

/** Approves the plan as it stands; with the last approval it starts. One vote per person and plan. */
export const approveDeployment = (deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> =>
  vote(deps, id, actor, "approve", note);

/** Ends a deployment that waits for approval. */
export const rejectDeployment = (deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> =>
  vote(deps, id, actor, "reject", note);

async function vote(deps: DeploymentDeps, id: string, actor: Actor, decision: Decision, note: string): Promise<void> {
  await inTransaction(deps.db, (tx) => voteOnDeploymentIn(deps, tx, id, actor, decision, note));
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}

/** In the caller's transaction. @param check looks at the request once it is held */
export async function voteOnDeploymentIn(
  deps: DeploymentDeps,
  tx: Tx,
  id: string,
  actor: Actor,
  decision: Decision,
  note: string,
  check: (request: ApprovalRequestRow) => void = () => {},
): Promise<void> {
  const row = await lockDeployment(tx, id, actor.projectId);
  const waits = row.status === "awaiting_approval" || (row.status === "pending" && row.approvalsNeeded > 0);
  if (!waits) {
    throw new AppError(
      "conflict",
      "approval.not_waiting",
      `This deployment is ${row.status.replaceAll("_", " ")} and waits for no approval.`,
    );
  }
  const request = await readDeploymentRequest(tx, id);
  check(request);
  await castVote(deps.db, tx, request, actor, decision, note);
  if (decision === "reject") {
    const said = reason("deployment.rejected", { actor: actor.name, note: note || "no reason given" });
    return await changeDeployment(tx, row, "cancelled", said);
  }
  const missing = await sayMissingApprovals(tx, row);
  if (missing) return await changeDeployment(tx, row, "awaiting_approval", missing);
  await startLocked(deps, tx, row, actor);
}
