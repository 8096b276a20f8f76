import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { StrategyInput } from "../../domain/strategy.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { checkPlan } from "./check_policy.ts";
import { settleWith } from "../triggers/settle_run.ts";
import { loadPlan } from "./load_plan.ts";
import type { DeploymentDeps, LoadedPlan, PlanRequest } from "./load_plan.ts";
import { checkSpecs } from "./render_plan.ts";
import { startDeployment } from "./start_deployment.ts";
import { supersedeOlder } from "./supersede_deployments.ts";
import { concurrencyOf, rejectWhenBusy } from "./take_turns.ts";
import { recordWaiver, waiveChecks } from "./waive_checks.ts";
import { writePlan } from "./write_plan.ts";

export interface DeploymentInput {
  versionId: string;
  environmentId: string;
  applications?: string[];
  mustInOrder?: string[];
  strategy?: StrategyInput;
  /** Why the strategy leaves out checks of the applications' own. */
  override?: { reason: string };
  manualApproval?: boolean;
  /** Starts by itself as soon as its artifacts are there and its approvals given. */
  autoStart?: boolean;
  /** Applied anew where the same release runs already, exactly as it was frozen then. */
  reapply?: boolean;
  /** Takes these applications away from where they run there; the version is what runs. */
  removes?: boolean;
  /** Why, in that person's words: for the audit. */
  note?: string;
  /** Why it was made, when no person made it. */
  origin?: Reason;
  /** What it says before it starts by itself. */
  starting?: Reason;
  /** The look of a trigger that this deployment settles: it makes one, whoever else was about to. */
  triggerRunId?: string;
  /** For these machines only, by name: they missed the release when it went everywhere. */
  onlyTargets?: string[];
}

/**
 * Plans one version to one environment and writes it all down: the deployment, its tasks, the event.
 * @returns its id
 * @throws AppError not_found, invalid (the plan), forbidden (the environment's policy), conflict
 */
export async function createDeployment(deps: DeploymentDeps, input: DeploymentInput, actor: Actor): Promise<string> {
  const { db } = deps;
  const id = db.newId();
  let [isNewest, repositoryId]: [boolean, string | null] = [false, null];
  const ready = await inTransaction(db, async (tx) => {
    const plan = await loadPlan(deps, tx, planRequestOf(input, actor));
    checkPlan(plan);
    if (plan.deployed.length === 0) {
      const bound = plan.applications.length === 0
        ? "has no applications"
        : `changed no application that is bound to ${plan.environment.name}`;
      throw new AppError(
        "invalid",
        "deployment.nothing_to_deploy",
        `Version ${plan.version.version} ${bound}; name the applications to deploy them anyway.`,
      );
    }
    const waiver = waiveChecks(plan, actor, input.override, null);
    checkSpecs(plan);
    await rejectWhenBusy(tx, plan);
    isNewest = concurrencyOf(plan)?.policy === "supersede" && !input.onlyTargets && !input.reapply &&
      !input.removes;
    repositoryId = plan.version.repositoryId;
    const approvals = Math.max(input.manualApproval ? 1 : 0, plan.environment.policy.approvals?.count ?? 0);
    const waiting = plan.version.builds === "waiting" && !plan.removes;
    const said = waiting
      ? reason("deployment.waiting_for_builds", { detail: plan.version.buildsReason.text })
      : approvals > 0
      ? reason("deployment.awaiting_approval", { missing: approvals, count: approvals })
      : input.autoStart && !input.onlyTargets && !input.reapply
      ? input.starting ?? reason("deployment.starting", { actor: actor.name })
      : input.origin ?? reason("deployment.created");
    await tx`
      insert into deployment (id, project_id, version_id, environment_id, status, reason, applications, must_in_order, strategy,
        manual_approval, approvals_needed, only_targets, plan_hash, auto_start, created_by, author_id, approvals_since)
      values (${id}, ${actor.projectId}, ${plan.version.id}, ${plan.environment.id}, ${
      waiting || approvals === 0 ? "pending" : "awaiting_approval"
    },
        ${tx.json(said as never)}, ${plan.deployed.map((a) => a.name)}, ${plan.mustInOrder}, ${
      input.strategy ? tx.json(input.strategy as never) : null
    },
        ${input.manualApproval ?? false}, ${approvals}, ${input.onlyTargets ?? null}, ${plan.hash}, ${
      input.autoStart ?? false
    }, ${actor.name}, ${actor.userId}, case when ${approvals > 0} then boreas_now() end)`;
    await writePlan(db, tx, id, actor.projectId, plan);
    if (input.reapply) await tx`update deployment set reapply = true where id = ${id}`;
    if (input.removes) await tx`update deployment set removes = true where id = ${id}`;
    await recordEvents(tx, [{
      topic: "deployment",
      projectId: actor.projectId,
      subjectId: id,
      deploymentId: id,
      kind: "deployment.created",
      data: { name: "pending", reason: said },
    }]);
    if (waiver) await recordWaiver(db, tx, { id, status: "pending" }, waiver, actor);
    if (input.triggerRunId) await settleTrigger(tx, input.triggerRunId, id, plan);
    if (actor.userId) {
      const act = plan.removes ? "deployment.create_removal" : "deployment.create";
      await recordAudit(db, tx, actor, act, `deployment:${id}`, {
        ...(plan.removes ? { applications: plan.deployed.map((a) => a.name) } : { version: plan.version.version }),
        environment: plan.environment.name,
        ...(input.note && { note: input.note }),
      });
    }
    return !waiting && approvals === 0;
  });
  if (isNewest && repositoryId !== null) {
    await supersedeOlder(deps, { environmentId: input.environmentId, versionId: input.versionId, repositoryId });
  }
  deps.hints.announce("events");
  if (input.autoStart && ready) {
    try {
      await startDeployment(deps, id, actor, input.note);
    } catch (error: unknown) {
      // The wish to start is in the row: whoever looks for such rows may have been quicker.
      if (!(error instanceof AppError) || error.code !== "deployment.wrong_state") throw error;
    }
  }
  return id;
}

/** What a caller left open is decided by the version and its plan. */
export const planRequestOf = (input: DeploymentInput, actor: Actor): PlanRequest => ({
  projectId: actor.projectId,
  versionId: input.versionId,
  environmentId: input.environmentId,
  applications: input.applications ?? null,
  mustInOrder: input.mustInOrder ?? null,
  strategy: input.strategy ?? null,
  onlyTargets: input.onlyTargets ?? null,
  reapply: input.reapply ?? false,
  removes: input.removes ?? false,
});

async function settleTrigger(tx: Tx, runId: string, deploymentId: string, plan: LoadedPlan): Promise<void> {
  const said = reason("trigger.fired", { version: plan.version.version, environment: plan.environment.name });
  const isMine = await settleWith(tx, runId, { fired: true, reason: said, versionId: plan.version.id }, deploymentId);
  if (isMine) return;
  throw new AppError("conflict", "trigger.settled", "Another master has decided this already.");
}
