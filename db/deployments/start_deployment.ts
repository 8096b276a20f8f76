/**
 * pending | awaiting_approval -> running, or a reason why not yet:
 * artifacts missing, approvals missing, or another deployment of the same application on the same environment under way.
 * In the last three cases the wish to start is kept, and the deployment starts by itself when the way is free.
 */
import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { StrategyInput } from "../../domain/strategy.ts";
import { recordAudit } from "../audit/record_audit.ts";
import { freezeDocument } from "../blobs/freeze_document.ts";
import type { Actor, Tx } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { findOutdated, keepFrozen } from "../drift/keep_frozen.ts";
import { dueWhenBegun, sayBegun } from "../tasks/begin_wait.ts";
import { changeDeployment } from "./change_deployment.ts";
import { checkPolicy } from "./check_policy.ts";
import { specOf } from "./render_plan.ts";
import { loadPlan } from "./load_plan.ts";
import type { DeploymentDeps, LoadedPlan } from "./load_plan.ts";
import { lockDeployment, sayMissingApprovals } from "./lock_deployment.ts";
import type { LockedDeployment } from "./lock_deployment.ts";
import { moveDeployments } from "./move_deployments.ts";
import { writePlan } from "./write_plan.ts";

export async function startDeployment(deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const row = await lockDeployment(tx, id, actor.projectId);
    if (row.status !== "pending" && row.status !== "awaiting_approval") {
      throw new AppError("conflict", "deployment.wrong_state", `A deployment that is ${row.status} cannot be started.`);
    }
    if (actor.userId) await recordAudit(deps.db, tx, actor, "deployment.start", `deployment:${id}`, { note });
    await startLocked(deps, tx, row, actor);
  });
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}

/** The same, for a caller that already holds the row. */
export async function startLocked(deps: DeploymentDeps, tx: Tx, row: LockedDeployment, actor: Actor): Promise<void> {
  const plan = await loadPlan(deps, tx, {
    projectId: row.projectId,
    versionId: row.versionId,
    environmentId: row.environmentId,
    applications: row.applications,
    mustInOrder: row.mustInOrder,
    strategy: row.strategy as StrategyInput | null,
    onlyTargets: row.onlyTargets,
    reapply: row.reapply,
  });
  checkPolicy(plan.version, plan.environment);
  const wait = (status: DeploymentState, said: ReturnType<typeof reason>) => keepWaiting(tx, row, status, said);
  if (plan.version.builds === "waiting") {
    return await wait("pending", reason("deployment.waiting_for_builds", { detail: plan.version.buildsReason.text }));
  }
  if (plan.hash !== row.planHash) {
    // The machines or the configuration changed since it was planned: the plan is made anew, and approvals were for the old one.
    await writePlan(deps.db, tx, row.id, row.projectId, plan);
    row = { ...row, planHash: plan.hash };
  }
  const missing = await sayMissingApprovals(tx, row);
  if (missing) return await wait("awaiting_approval", missing);
  const required = plan.environment.policy.agentsRequired ?? 0;
  if (required > 0) await requireAgents(tx, plan, required);

  const blocker = await takeLocks(tx, row.id, plan);
  if (blocker) return await wait("pending", reason("deployment.queued", { deploymentId: blocker }));
  const outdated = await findOutdated(tx, row.id);
  if (outdated) return await changeDeployment(tx, row, "superseded", outdated);
  await freezePlan(tx, row.id, plan);
  await keepFrozen(tx, row.id);
  await changeDeployment(tx, row, "running", reason("deployment.started", { actor: actor.name }));
  // A task may have been cancelled before the start, even the only one.
  await moveDeployments(deps.db, tx, [row.id]);
  await tx`update version set locked_at = coalesce(locked_at, boreas_now()) where id = ${plan.version.id}`;
}

async function keepWaiting(
  tx: Tx,
  row: LockedDeployment,
  status: DeploymentState,
  said: ReturnType<typeof reason>,
): Promise<void> {
  await tx`update deployment set auto_start = true where id = ${row.id}`;
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

/** One running deployment per application and environment: the primary key is the guard. @returns who is in the way */
async function takeLocks(tx: Tx, deploymentId: string, plan: LoadedPlan): Promise<string | null> {
  const apps = plan.deployed.map((a) => a.id).sort();
  const taken = await tx<{ applicationId: string }[]>`
    insert into deployment_lock (application_id, environment_id, deployment_id)
    select a, ${plan.environment.id}, ${deploymentId} from unnest(${apps}::uuid[]) a order by a
    on conflict do nothing returning application_id`;
  if (taken.length === apps.length) return null;
  await tx`delete from deployment_lock where deployment_id = ${deploymentId}`;
  const [other] = await tx<{ deploymentId: string }[]>`
    select deployment_id from deployment_lock where environment_id = ${plan.environment.id} and application_id = any(${apps}::uuid[])
      and deployment_id <> ${deploymentId} limit 1`;
  return other?.deploymentId ?? "another";
}

/** Decides everything that an agent will be sent: specs frozen, what ran before remembered, tasks opened. */
async function freezePlan(tx: Tx, deploymentId: string, plan: LoadedPlan): Promise<void> {
  for (const app of plan.deployed) {
    const sha256 = await freezeDocument(tx, specOf(plan, app));
    const [binding] = await tx<{ generation: number }[]>`
      insert into application_environment (application_id, environment_id, project_id, source, generation)
      select ${app.id}, ${plan.environment.id}, project_id, 'api', 1 from application where id = ${app.id}
      on conflict (application_id, environment_id) do update set generation = application_environment.generation + 1
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
  await tx`
    update task t set open = true, run_after = greatest(boreas_now(), case when t.state = 'pending' then ${
    dueWhenBegun(tx)
  } end), state_since = boreas_now(), updated_at = boreas_now(),
      reason = case when t.state = 'pending' then ${sayBegun(tx)} else t.reason end
    where deployment_id = ${deploymentId}`;
}
