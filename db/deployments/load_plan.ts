/**
 * Everything a plan is made of, read in one transaction, and the plan itself. Creating, previewing, editing and starting
 * all come through here, so they cannot disagree.
 */
import { AppError } from "../../domain/app_error.ts";
import { matchTargets } from "../../domain/match_targets.ts";
import type { Machine, MatchedTargets } from "../../domain/match_targets.ts";
import { parseDuration } from "../../domain/duration.ts";
import { findDropped } from "../../domain/dropped_checks.ts";
import { refuseContradictions } from "../../domain/hooks.ts";
import type { HooksInput } from "../../domain/hooks.ts";
import { planFailure } from "../../domain/plan_failure.ts";
import { planDeployment } from "../../domain/plan_deployment.ts";
import type { StageTarget, StrategyInput } from "../../domain/strategy.ts";
import { documentHash } from "../blobs/freeze_document.ts";
import type { Tx } from "../database.ts";
import { loadRemoval } from "./load_removal.ts";
import type { DeploymentDeps, EnvironmentRow, LoadedPlan, PlanRequest, VersionRow } from "./loaded_plan.ts";
import { readApplications, readCandidate } from "./read_planned_apps.ts";
import type { PlannedApplication } from "./read_planned_apps.ts";

export type { DeploymentDeps, EnvironmentRow, LoadedPlan, PlanRequest, VersionRow } from "./loaded_plan.ts";
export type { PlannedApplication } from "./read_planned_apps.ts";

export async function loadPlan(deps: DeploymentDeps, tx: Tx, request: PlanRequest): Promise<LoadedPlan> {
  const version = request.candidate?.version ?? await readVersion(tx, request);
  const environment = await readEnvironment(tx, request);
  const planStages = deps.planners[environment.type];
  if (!planStages) throw noOperator(environment);
  if (request.removes) return await loadRemoval(tx, { request, version, environment, planStages });
  const applications = request.candidate
    ? await readCandidate(tx, request.candidate.applications, environment)
    : await readApplications(tx, version, environment);
  const deployed = chooseApplications(applications, request.applications, version, environment);
  const mustInOrder = request.mustInOrder ??
    (version.plan.mustInOrder ?? []).filter((n) => applications.some((a) => a.name === n));
  const machines = environment.type === "pm" ? await readMachines(tx, environment.id) : [];
  const ownStrategyOf = (app: PlannedApplication): StrategyInput =>
    (app.config.strategy as StrategyInput | undefined) ?? version.plan.strategy ?? { type: "all" };
  const strategyOf = (app: PlannedApplication): StrategyInput => request.strategy ?? ownStrategyOf(app);
  const hooksOf = (app: PlannedApplication): HooksInput => request.reapply ? {} : app.config.hooks ?? {};
  for (const app of deployed) refuseContradictions(app.name, strategyOf(app), hooksOf(app));
  const places = new Map(
    deployed.map((app) => [app.name, targetsOf(app, environment, machines, request.onlyTargets ?? null)]),
  );
  // What brings machines back to what the others have goes by no steps: those were taken when it went everywhere.
  const isRepair = request.reapply === true || (request.onlyTargets ?? null) !== null;
  const dropped = deployed.flatMap((app) => {
    if (!request.strategy || isRepair) return [];
    const own = ownStrategyOf(app);
    return findDropped({ own, given: request.strategy, targets: places.get(app.name)!.targets }, planStages)
      .map((check) => `${app.name}: ${check}`);
  });
  const tasks = planDeployment({
    all: applications.map((a) => ({ name: a.name, needs: a.config.needs ?? [] })),
    deployed: deployed.map((app) => ({
      name: app.name,
      needs: app.config.needs ?? [],
      strategy: strategyOf(app),
      hooks: hooksOf(app),
      watchSeconds: parseDuration(app.config.healthy?.watchAfter ?? "0s")!,
      ...places.get(app.name)!,
    })),
    mustInOrder,
    planStages,
  });
  const failure = planFailure(
    deployed.map(strategyOf).map(({ onFailure }) => ({ onFailure })),
    await didRunBefore(tx, environment, deployed),
    environment.policy.rollbackDeadline,
  );
  const strategies = Object.fromEntries(deployed.map((app) => [app.name, strategyOf(app)]));
  const seen = {
    version: version.id,
    commit: version.gitCommit,
    environment: environment.id,
    tasks,
    ...failure,
    configs: deployed.map((a) => [a.name, a.config]),
  };
  const hash = documentHash(seen); // of what it means: what was stored meanwhile has its keys in another order
  return {
    version,
    environment,
    applications,
    deployed,
    mustInOrder,
    ...failure,
    strategies,
    tasks,
    removes: false,
    dropped,
    hash,
  };
}

const noOperator = (environment: EnvironmentRow) =>
  new AppError(
    "invalid",
    "environment.no_operator",
    `No operator of this master plans for ${environment.type} environments; ${environment.name} is one.`,
  );

export async function readVersion(
  tx: Tx,
  request: Pick<PlanRequest, "versionId" | "projectId">,
): Promise<VersionRow> {
  const [version] = await tx<VersionRow[]>`
    select id, version, git_tag, seen_ref, git_commit, repository, repository_id, status, builds, builds_reason, app_builds, plan
    from version where id = ${request.versionId} and project_id = ${request.projectId}`;
  if (!version) {
    throw new AppError("not_found", "version.not_found", `There is no version ${request.versionId} in this project.`);
  }
  return version;
}

export async function readEnvironment(
  tx: Tx,
  request: Pick<PlanRequest, "environmentId" | "projectId">,
): Promise<EnvironmentRow> {
  const [environment] = await tx<EnvironmentRow[]>`
    select id, name, type, status, config, policy from environment where id = ${request.environmentId} and project_id = ${request.projectId}`;
  if (!environment) {
    throw new AppError(
      "not_found",
      "environment.not_found",
      `There is no environment ${request.environmentId} in this project.`,
    );
  }
  return environment;
}

function chooseApplications(
  all: PlannedApplication[],
  names: string[] | null,
  version: VersionRow,
  environment: EnvironmentRow,
): PlannedApplication[] {
  if (!names) return all.filter((a) => a.changed && a.bound);
  return [...new Set(names)].map((name) => {
    const app = all.find((a) => a.name === name);
    if (app && app.bound) return app;
    const problem = app
      ? `${name} is not bound to ${environment.name}; bind it with PUT /applications/${app.id}/environments/${environment.id}.`
      : `${name} is not an application of version ${version.version}, which has ${
        all.map((a) => a.name).join(", ") || "none"
      }.`;
    throw new AppError("invalid", "deployment.unknown_application", problem);
  });
}

function targetsOf(
  app: PlannedApplication,
  environment: EnvironmentRow,
  machines: readonly Machine[],
  only: readonly string[] | null,
): { targets: StageTarget[]; leftOut: StageTarget[] } {
  const wanted = (list: readonly StageTarget[]) =>
    list.filter((m) => !only || only.includes(m.name)).map(({ id, name }) => ({ id, name }));
  if (environment.type !== "pm") {
    const named = [...new Set(environment.config.targets ?? [])].map((name) => ({ id: name, name }));
    if (named.length === 0) return { targets: [], leftOut: [] };
    const targets = wanted(named);
    if (targets.length > 0) return { targets, leftOut: [] };
    throw nowhere(app.name, only);
  }
  const matched: MatchedTargets = matchTargets(
    app.name,
    machines,
    app.config.nodes,
    environment.config.appToNodes?.[app.name],
  );
  const targets = wanted(matched.chosen);
  if (targets.length > 0) return { targets, leftOut: wanted(matched.leftOut) };
  throw nowhere(app.name, only);
}

const nowhere = (application: string, only: readonly string[] | null) =>
  new AppError(
    "conflict",
    "targets.none",
    `${application} does not go to ${only?.join(", ")} any more, or it is cordoned; nothing is deployed there.`,
  );

async function readMachines(tx: Tx, environmentId: string): Promise<Machine[]> {
  return await tx<Machine[]>`
    select a.id, a.name, a.labels, a.cordoned from agent a join agent_environment e on e.agent_id = a.id
    where e.environment_id = ${environmentId} and a.status <> 'revoked' and not a.awaits_approval order by a.name`;
}

async function didRunBefore(tx: Tx, environment: EnvironmentRow, apps: readonly { id: string }[]): Promise<boolean> {
  const [row] = await tx<{ n: number }[]>`
    select count(*)::int as n from app_state where environment_id = ${environment.id} and application_id = any(${
    apps.map((a) => a.id)
  }::uuid[])`;
  return row!.n > 0;
}
