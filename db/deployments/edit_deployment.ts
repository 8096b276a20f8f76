import { AppError } from "../../domain/app_error.ts";
import type { StrategyInput } from "../../domain/strategy.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { sayVoided, voidApprovals } from "../approvals/void_approvals.ts";
import { inTransaction } from "../retry.ts";
import { recutBatches, sayRecut } from "../rollouts/recut_batches.ts";
import { changeDeployment } from "./change_deployment.ts";
import { loadPlan } from "./load_plan.ts";
import type { DeploymentDeps } from "./load_plan.ts";
import { lockDeployment } from "./lock_deployment.ts";
import type { LockedDeployment } from "./lock_deployment.ts";
import { checkSpecs } from "./render_plan.ts";
import { recordWaiver, waiveChecks } from "./waive_checks.ts";
import { writePlan } from "./write_plan.ts";

export interface DeploymentChange {
  mustInOrder?: string[];
  /** Of a deployment that has begun, `batch` alone. */
  strategy?: StrategyInput | { batch: number | string };
  /** Why the strategy leaves out checks of the applications' own. */
  override?: { reason: string };
}

/**
 * Reorders or re-plans a deployment that has not started; approvals were for the old plan and are void. Of one that runs,
 * the batches that have not begun get another size.
 */
export async function editDeployment(
  deps: DeploymentDeps,
  id: string,
  change: DeploymentChange,
  actor: Actor,
): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const row = await lockDeployment(tx, id, actor.projectId);
    if (row.status === "running" || row.status === "paused") return await editRunning(deps, tx, row, change, actor);
    if (row.status !== "pending" && row.status !== "awaiting_approval") {
      throw new AppError(
        "conflict",
        "deployment.wrong_state",
        `A deployment that is ${row.status} cannot be edited; only one that has not started can, and its batch size while it runs.`,
      );
    }
    const strategy = wholeStrategy(change.strategy, row) ?? row.strategy as StrategyInput | null;
    const plan = await loadPlan(deps, tx, {
      projectId: row.projectId,
      versionId: row.versionId,
      environmentId: row.environmentId,
      applications: row.applications,
      mustInOrder: change.mustInOrder ?? row.mustInOrder,
      strategy,
      onlyTargets: row.onlyTargets,
      reapply: row.reapply,
      removes: row.removes,
    });
    const waiver = waiveChecks(plan, actor, change.override, row.strategyOverride);
    checkSpecs(plan);
    await writePlan(deps.db, tx, id, row.projectId, plan);
    await tx`update deployment set must_in_order = ${plan.mustInOrder}, strategy = ${
      strategy ? tx.json(strategy as never) : null
    }, updated_at = boreas_now() where id = ${id}`;
    if (plan.hash !== row.planHash) {
      const lost = await voidApprovals(deps.db, tx, row, row.planHash, actor);
      if (row.status === "awaiting_approval") await changeDeployment(tx, row, row.status, sayVoided(row, lost));
    }
    if (waiver !== row.strategyOverride) await recordWaiver(deps.db, tx, row, waiver, actor);
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
  deps.hints.announce("tasks");
}

function wholeStrategy(asked: DeploymentChange["strategy"], row: LockedDeployment): StrategyInput | undefined {
  if (asked === undefined || "type" in asked) return asked;
  if (row.strategy?.type === "rolling") return { ...row.strategy as unknown as StrategyInput, batch: asked.batch };
  throw new AppError(
    "invalid",
    "deployment.strategy",
    'A deployment that has not begun takes a whole strategy: {"strategy": {"type": "rolling", "batch": 2}}.',
  );
}

async function editRunning(
  deps: DeploymentDeps,
  tx: Tx,
  row: LockedDeployment,
  { mustInOrder, strategy }: DeploymentChange,
  actor: Actor,
): Promise<void> {
  const batch = strategy && "batch" in strategy ? strategy.batch : undefined;
  if (mustInOrder || batch === undefined || Object.keys(strategy!).some((key) => key !== "batch" && key !== "type")) {
    throw new AppError(
      "conflict",
      "deployment.wrong_state",
      `Of a deployment that is ${row.status} only the batch size can be changed: {"strategy": {"batch": 2}}.`,
    );
  }
  await recutBatches(deps.db, tx, row, batch);
  // What was approved in the middle was another plan: its hash goes on from the old one.
  await tx`update deployment set plan_hash = encode(sha256(convert_to(plan_hash || ${`batch ${batch}`}, 'UTF8')), 'hex') where id = ${row.id}`;
  await voidApprovals(deps.db, tx, row, row.planHash, actor);
  if (row.strategy) await tx`update deployment set strategy = strategy || ${tx.json({ batch })} where id = ${row.id}`;
  await tx`update deployment set updated_at = boreas_now() where id = ${row.id}`;
  await recordEvents(tx, [{
    topic: "deployment",
    projectId: row.projectId,
    subjectId: row.id,
    deploymentId: row.id,
    kind: "deployment.edited",
    data: { name: row.status, reason: sayRecut(actor.name, batch) },
  }]);
  await recordAudit(deps.db, tx, actor, "deployment.edit", `deployment:${row.id}`, { strategy: { batch } });
}
