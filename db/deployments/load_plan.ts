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
import type { ConcurrencyInput } from "../../domain/concurrency.ts";
import type { FreezeInput } from "../../domain/freeze.ts";
import { planFailure } from "../../domain/plan_failure.ts";
import type { FailurePlan } from "../../domain/plan_failure.ts";
import type { OfflinePolicy } from "../../domain/missing_machine.ts";
import { planDeployment } from "../../domain/plan_deployment.ts";
import type { PlannedTask } from "../../domain/plan_deployment.ts";
import type { PlanStages, StageTarget, StrategyInput } from "../../domain/strategy.ts";
import type { AppBuild } from "../../protocol/api/catalog.ts";
import { documentHash } from "../blobs/freeze_document.ts";
import type { Hints } from "../hints.ts";
import type { Database, Tx } from "../database.ts";
import { readApplications, readCandidate } from "./read_planned_apps.ts";
import type { CandidateApplication, PlannedApplication } from "./read_planned_apps.ts";

export type { PlannedApplication } from "./read_planned_apps.ts";

export interface DeploymentDeps {
  db: Database;
  hints: Hints;
  /** Environment type -> how its operator plans stages. */
  planners: Record<string, PlanStages>;
}
export interface PlanRequest {
  projectId: string;
  versionId: string;
  environmentId: string;
  /** null: all that changed and are bound to the environment. */
  applications: string[] | null;
  /** null: the order of the version's Plan. */
  mustInOrder: string[] | null;
  strategy: StrategyInput | null;
  /** Only these machines, by name, of those it would go to; null: all of them. */
  onlyTargets?: readonly string[] | null;
  /** What runs is applied anew: no hook belongs to that. */
  reapply?: boolean;
  /** Stands for a version that is not recorded: what a commit would become. */
  candidate?: { version: VersionRow; applications: CandidateApplication[] };
}
export interface VersionRow {
  id: string;
  version: string;
  gitTag: string | null;
  /** The branch or tag it was seen at, `refs/heads/main`; null of one that was only posted. */
  seenRef: string | null;
  gitCommit: string | null;
  repository: string;
  repositoryId: string | null;
  status: "normal" | "revert";
  builds: "waiting" | "ready" | "failed";
  buildsReason: { text: string };
  appBuilds: Record<string, Partial<AppBuild>>;
  plan: {
    mustInOrder?: string[];
    strategy?: StrategyInput;
    concurrency?: ConcurrencyInput;
    freeze?: (FreezeInput & { environment: string })[];
  };
}
export interface EnvironmentRow {
  id: string;
  name: string;
  type: "k8s" | "pm" | "mock";
  status: "active" | "inactive";
  config: {
    appToNodes?: Record<string, string[]>;
    env?: Record<string, string>;
    offline?: OfflinePolicy;
    targets?: string[];
    prometheus?: { server: string };
  };
  policy: {
    branches?: string[];
    tags?: string[];
    repositories?: string[];
    approvals?: { count: number; roles?: string[]; notAuthor?: boolean; onExpire?: "reject" | "approve" };
    agentsRequired?: number;
    /** Who may leave out checks of the applications' own strategies. */
    strategyOverride?: { role: string };
    /** Most time a rollback may take here. */
    rollbackDeadline?: string;
    concurrency?: ConcurrencyInput;
    freezes?: FreezeInput[];
  };
}
export interface LoadedPlan extends FailurePlan {
  version: VersionRow;
  environment: EnvironmentRow;
  applications: PlannedApplication[];
  deployed: PlannedApplication[];
  mustInOrder: string[];
  /** application -> how it goes over its targets */
  strategies: Record<string, StrategyInput>;
  tasks: PlannedTask[];
  /** Approvals and gates of the applications' own strategies that the deployment's leaves out, in words. */
  dropped: string[];
  /** Changes when anything that an approver has seen changes. */
  hash: string;
}

export async function loadPlan(deps: DeploymentDeps, tx: Tx, request: PlanRequest): Promise<LoadedPlan> {
  const version = request.candidate?.version ?? await readVersion(tx, request);
  const environment = await readEnvironment(tx, request);
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
  const planStages = deps.planners[environment.type];
  if (!planStages) {
    throw new AppError(
      "invalid",
      "environment.no_operator",
      `No operator of this master plans for ${environment.type} environments; ${environment.name} is one.`,
    );
  }
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
    dropped,
    hash,
  };
}

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
