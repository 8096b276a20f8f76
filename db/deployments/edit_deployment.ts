import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { StrategyInput } from "../../domain/strategy.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { changeDeployment } from "./change_deployment.ts";
import { loadPlan } from "./load_plan.ts";
import type { DeploymentDeps } from "./load_plan.ts";
import { lockDeployment } from "./lock_deployment.ts";
import { checkSpecs } from "./render_plan.ts";
import { writePlan } from "./write_plan.ts";

/** Reorders or re-plans a deployment that has not started. Approvals were for the old plan and are void. */
export async function editDeployment(
  deps: DeploymentDeps,
  id: string,
  change: { mustInOrder?: string[]; strategy?: StrategyInput },
  actor: Actor,
): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const row = await lockDeployment(tx, id, actor.projectId);
    if (row.status !== "pending" && row.status !== "awaiting_approval") {
      throw new AppError(
        "conflict",
        "deployment.wrong_state",
        `A deployment that is ${row.status} cannot be edited; only one that has not started can.`,
      );
    }
    const strategy = change.strategy ?? row.strategy as StrategyInput | null;
    const plan = await loadPlan(deps, tx, {
      projectId: row.projectId,
      versionId: row.versionId,
      environmentId: row.environmentId,
      applications: row.applications,
      mustInOrder: change.mustInOrder ?? row.mustInOrder,
      strategy,
    });
    checkSpecs(plan);
    await writePlan(deps.db, tx, id, row.projectId, plan);
    await tx`update deployment set must_in_order = ${plan.mustInOrder}, strategy = ${
      strategy ? tx.json(strategy as never) : null
    },
      plan_hash = ${plan.hash}, on_failure = ${plan.onFailure}, updated_at = boreas_now() where id = ${id}`;
    if (plan.hash !== row.planHash && row.approvalsNeeded > 0 && row.status === "awaiting_approval") {
      await changeDeployment(
        tx,
        row,
        row.status,
        reason("deployment.awaiting_approval", { missing: row.approvalsNeeded, count: row.approvalsNeeded }),
      );
    }
    await recordEvents(tx, [{
      topic: "deployment",
      projectId: row.projectId,
      subjectId: id,
      deploymentId: id,
      kind: "deployment.edited",
      data: { name: row.status, reason: row.reason },
    }]);
    await recordAudit(deps.db, tx, actor, "deployment.edit", `deployment:${id}`, { ...change });
  });
  deps.hints.announce("events");
}
