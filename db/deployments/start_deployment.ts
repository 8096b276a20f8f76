/**
 * pending | awaiting_approval -> running, or a reason why not yet:
 * artifacts missing, approvals missing, a freeze, or another deployment of the same application on the same environment
 * under way. In these cases the wish to start is kept, and the deployment starts by itself when the way is free.
 */
import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { StrategyInput } from "../../domain/strategy.ts";
import { recordAudit } from "../audit/record_audit.ts";
import { freezeDocument } from "../blobs/freeze_document.ts";
import type { Actor, Tx } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { findOutdated, keepFrozen } from "../drift/keep_frozen.ts";
import { findFrozen } from "../freezes/find_frozen.ts";
import { heldUntil, overrideFreeze, sayFrozen } from "../freezes/hold_back.ts";
import { dueWhenBegun, sayBegun } from "../tasks/begin_wait.ts";
import { changeDeployment } from "./change_deployment.ts";
import { checkPlan } from "./check_policy.ts";
import { specOf } from "./render_plan.ts";
import { loadPlan } from "./load_plan.ts";
import type { DeploymentDeps, LoadedPlan } from "./load_plan.ts";
import { lockDeployment, sayMissingApprovals } from "./lock_deployment.ts";
import { sayVoided, voidApprovals } from "../approvals/void_approvals.ts";
import type { LockedDeployment } from "./lock_deployment.ts";
import { moveDeployments } from "./move_deployments.ts";
import { findRemovedSince, prepareRemoval } from "./settle_removal.ts";
import { cancelOutrun, rejectWhenBusy, takeLocks } from "./take_turns.ts";
import { waiveChecks } from "./waive_checks.ts";
import { writePlan } from "./write_plan.ts";

export async function startDeployment(
  deps: DeploymentDeps,
  id: string,
  actor: Actor,
  note = "",
  override?: { reason: string },
): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const row = await lockDeployment(tx, id, actor.projectId);
    if (row.status !== "pending" && row.status !== "awaiting_approval") {
      throw new AppError("conflict", "deployment.wrong_state", `A deployment that is ${row.status} cannot be started.`);
    }
    if (actor.userId) await recordAudit(deps.db, tx, actor, "deployment.start", `deployment:${id}`, { note });
    await startLocked(deps, tx, row, actor, override);
  });
  await cancelOutrun(deps);
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}

/** The same, for a caller that already holds the row. */
export async function startLocked(
  deps: DeploymentDeps,
  tx: Tx,
  row: LockedDeployment,
  actor: Actor,
  override?: { reason: string },
): Promise<void> {
  const gone = await findRemovedSince(tx, row.id);
  if (gone.length > 0) {
    const applications = row.applications.filter((name) => !gone.includes(name));
    const said = reason("deployment.removed_since", { applications: gone.join(", ") });
    if (applications.length === 0) return await changeDeployment(tx, row, "superseded", said);
    await tx`update deployment set applications = ${applications} where id = ${row.id}`;
    row = { ...row, applications };
  }
  const plan = await loadPlan(deps, tx, {
    projectId: row.projectId,
    versionId: row.versionId,
    environmentId: row.environmentId,
    applications: row.applications,
    mustInOrder: row.mustInOrder,
    strategy: row.strategy as StrategyInput | null,
    onlyTargets: row.onlyTargets,
    reapply: row.reapply,
    removes: row.removes,
  });
  checkPlan(plan);
  waiveChecks(plan, actor, undefined, row.strategyOverride);
  const wait = (status: DeploymentState, said: Reason) => keepWaiting(tx, row, status, said);
  const frozen = await findFrozen(tx, {
    environment: plan.environment,
    planned: plan.version.plan.freeze ?? [],
    applications: row.applications,
  });
  if (frozen && override) {
    row = { ...row, freezeOverride: await overrideFreeze(deps.db, tx, row, frozen, override.reason, actor) };
  }
  if (plan.version.builds === "waiting" && !plan.removes) {
    return await wait("pending", reason("deployment.waiting_for_builds", { detail: plan.version.buildsReason.text }));
  }
  let lost = 0;
  if (plan.hash !== row.planHash) {
    // The machines or the configuration changed since it was planned: the plan is made anew, and approvals were for the old one.
    await writePlan(deps.db, tx, row.id, row.projectId, plan);
    lost = await voidApprovals(deps.db, tx, row, row.planHash, actor);
    row = { ...row, planHash: plan.hash };
  }
  const missing = await sayMissingApprovals(tx, row);
  if (missing) return await wait("awaiting_approval", lost > 0 ? sayVoided(row) : missing);
  const until = frozen && heldUntil(row, frozen);
  if (until) {
    await tx`update deployment set frozen_until = ${until} where id = ${row.id}`;
    return await wait("pending", sayFrozen(frozen));
  }
  const required = plan.environment.policy.agentsRequired ?? 0;
  if (required > 0) await requireAgents(tx, plan, required);

  await rejectWhenBusy(tx, plan, row.id);
  const blocker = await takeLocks(tx, row, plan);
  if (blocker) return await wait("pending", reason("deployment.queued", { deploymentId: blocker }));
  const outdated = await findOutdated(tx, row.id);
  if (outdated) return await changeDeployment(tx, row, "superseded", outdated);
  await freezePlan(tx, row.id, plan);
  await keepFrozen(tx, row.id);
  await changeDeployment(tx, row, "running", sayStarted(row, actor, frozen !== undefined));
  // A task may have been cancelled before the start, even the only one.
  await moveDeployments(deps.db, tx, [row.id]);
  await tx`update version set locked_at = coalesce(locked_at, boreas_now()) where id = ${plan.version.id}`;
}

function sayStarted({ freezeOverride }: LockedDeployment, actor: Actor, isFrozen: boolean): Reason {
  if (!isFrozen || !freezeOverride) return reason("deployment.started", { actor: actor.name });
  return reason("deployment.started_in_freeze", { actor: freezeOverride.by, note: freezeOverride.reason });
}

async function keepWaiting(tx: Tx, row: LockedDeployment, status: DeploymentState, said: Reason): Promise<void> {
  await tx`update deployment set auto_start = true where id = ${row.id}`;
  if (row.status === status && row.reason.text === said.text) return; // said already
  await changeDeployment(tx, row, status, said);
}

async function requireAgents(tx: Tx, plan: LoadedPlan, required: number): Promise<void> {
  const [row] = await tx<{ n: number }[]>`
    select count(*)::int as n from agent a join agent_environment e on e.agent_id = a.id
    where e.environment_id = ${plan.environment.id} and a.status = 'connected' and not a.cordoned and not a.awaits_approval`;
  if (row!.n >= required) return;
  throw new AppError(
    "conflict",
    "policy.agents_required",
    `${plan.environment.name} asks for ${required} connected agents before a deployment starts; ${
      row!.n
    } are connected.`,
  );
}

/** Decides everything that an agent will be sent: specs frozen, what ran before remembered, tasks opened. */
async function freezePlan(tx: Tx, deploymentId: string, plan: LoadedPlan): Promise<void> {
  for (const app of plan.deployed) {
    const sha256 = plan.removes ? null : await freezeDocument(tx, specOf(plan, app));
    // Whoever deploys it here wants it here again, whatever was removed before.
    const [binding] = await tx<{ generation: number }[]>`
      insert into application_environment (application_id, environment_id, project_id, source, generation)
      select ${app.id}, ${plan.environment.id}, project_id, 'api', 1 from application where id = ${app.id}
      on conflict (application_id, environment_id) do update set generation = application_environment.generation + 1,
        removed_at = case when ${plan.removes} then application_environment.removed_at end
      returning generation`;
    await tx`
      update task t set spec_sha256 = ${sha256}, payload = t.payload || jsonb_build_object('generation', ${
      binding!.generation
    }::bigint, 'previous',
        (select jsonb_build_object('versionId', s.version_id, 'version', v.version, 'commit', v.git_commit, 'specSha256', s.spec_sha256)
         from app_state s join version v on v.id = s.version_id
         where s.environment_id = t.environment_id and s.application_id = t.app_id and s.target = coalesce(t.payload -> 'target' ->> 'name', '-')))
      where t.deployment_id = ${deploymentId} and t.app_id = ${app.id} and t.is_leaf`;
  }
  if (plan.removes) await prepareRemoval(tx, deploymentId, plan);
  await tx`
    update task t set open = true, run_after = greatest(boreas_now(), case when t.state = 'pending' then ${
    dueWhenBegun(tx)
  } end), state_since = boreas_now(), updated_at = boreas_now(),
      reason = case when t.state = 'pending' then ${sayBegun(tx)} else t.reason end
    where deployment_id = ${deploymentId}`;
}
