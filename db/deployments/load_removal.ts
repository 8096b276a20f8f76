/**
 * The plan that takes applications away from where they run in one environment: from what the agents said last, not from
 * a version's wishes, so what was archived or is declared nowhere any more can be removed as well.
 */
import { AppError } from "../../domain/app_error.ts";
import { planFailure } from "../../domain/plan_failure.ts";
import { findNeeders, planRemoval } from "../../domain/plan_removal.ts";
import type { PlanStages, StageTarget, StrategyInput } from "../../domain/strategy.ts";
import { documentHash } from "../blobs/freeze_document.ts";
import type { Tx } from "../database.ts";
import type { EnvironmentRow, LoadedPlan, PlanRequest, VersionRow } from "./loaded_plan.ts";
import type { PlannedApplication } from "./read_planned_apps.ts";
import { readRunningApps } from "./read_running_apps.ts";
import type { RunningApplication, RunningPlace } from "./read_running_apps.ts";

/** Of an environment that is no set of machines. */
const ANYWHERE = "-";

export interface RemovalRequest {
  request: PlanRequest;
  version: VersionRow;
  environment: EnvironmentRow;
  planStages: PlanStages;
}

/** @throws AppError `removal.not_running`, `removal.needed`, `removal.strategy` */
export async function loadRemoval(tx: Tx, given: RemovalRequest): Promise<LoadedPlan> {
  const { request, version, environment, planStages } = given;
  const strategy: StrategyInput = request.strategy ?? { type: "all" };
  if (strategy.type !== "all" && strategy.type !== "rolling") throw sayStrategy(strategy);
  if (request.mustInOrder && request.mustInOrder.length > 0) throw sayOrder();
  const running = await readRunningApps(tx, environment);
  const names = [...new Set(request.applications ?? [])].sort();
  refuseAbsent(names, running, environment);
  refuseNeeded(names, running, environment);
  const removed = running.filter((app) => names.includes(app.name)).map((app) =>
    only(app, request.onlyTargets ?? null)
  );
  const tasks = planRemoval(
    removed.map((app) => ({
      name: app.name,
      needs: app.needs,
      targets: targetsOf(app.places, environment),
      isOutOfReach: app.places.every((place) => place.isRevoked),
    })),
    strategy,
    planStages,
  );
  // What could not be taken away runs on: going back would start what somebody wanted gone.
  const onFailure = strategy.onFailure ?? { action: "stop" as const };
  const failure = planFailure([{ onFailure }], true, environment.policy.rollbackDeadline);
  const deployed = removed.map(asPlanned);
  const places = removed.map((app) => [app.name, app.places.map(({ target, versionId }) => [target, versionId])]);
  return {
    ...{ version, environment, applications: deployed, deployed, mustInOrder: [], ...failure, tasks },
    strategies: Object.fromEntries(names.map((name) => [name, strategy])),
    removes: true,
    dropped: [],
    hash: documentHash({ removes: true, environment: environment.id, tasks, ...failure, places }),
  };
}

function refuseAbsent(
  names: readonly string[],
  running: readonly RunningApplication[],
  environment: EnvironmentRow,
): void {
  const absent = names.filter((name) => !running.some((app) => app.name === name));
  if (names.length > 0 && absent.length === 0) return;
  const there = running.map((app) => app.name).join(", ") || "nothing";
  const who = absent.length > 0 ? `${absent.join(", ")} does not run` : "Nothing that was named runs";
  throw new AppError(
    "conflict",
    "removal.not_running",
    `${who} in ${environment.name}, so there is nothing to remove; what runs there: ${there}.`,
  );
}

function refuseNeeded(
  names: readonly string[],
  running: readonly RunningApplication[],
  environment: EnvironmentRow,
): void {
  const needers = findNeeders(running, names);
  if (needers.length === 0) return;
  const who = needers.map(({ application, needs }) => `${application} needs ${needs.join(", ")}`).join("; ");
  const all = [...names, ...needers.map(({ application }) => application)].join(" ");
  throw new AppError(
    "conflict",
    "removal.needed",
    `${who}, and still runs in ${environment.name}. Remove them together (boreas apps remove ${all} --env ${environment.name}), or deploy a version that needs it no more.`,
  );
}

function only(app: RunningApplication, targets: readonly string[] | null): RunningApplication {
  if (!targets) return app;
  const places = app.places.filter(({ target }) => targets.includes(target));
  if (places.length > 0) return { ...app, places };
  throw new AppError(
    "conflict",
    "targets.none",
    `${app.name} does not run on ${targets.join(", ")} any more; nothing is removed there.`,
  );
}

/** Of a machine that was revoked only what is known of it goes, when the removal starts. */
function targetsOf(places: readonly RunningPlace[], { type }: EnvironmentRow): StageTarget[] {
  if (places.length === 1 && places[0]!.target === ANYWHERE) return [];
  return places.filter((place) => !place.isRevoked).map(({ target, agentId }) => ({
    id: type === "pm" ? agentId! : target,
    name: target,
  }));
}

function asPlanned({ id, name, config, needs }: RunningApplication): PlannedApplication {
  const { hooks: _, ...rest } = config; // no hook belongs to it
  const planned = { changed: true, bound: true, isRemoved: false, artifacts: {}, bundle: null };
  return { id, name, ...planned, config: { ...rest, needs } };
}

const sayStrategy = ({ type }: StrategyInput) =>
  new AppError(
    "invalid",
    "removal.strategy",
    `A removal goes at once (all) or batch by batch (rolling), and not as ${type}: nothing is started that could be looked at on the way.`,
  );
const sayOrder = () =>
  new AppError(
    "invalid",
    "removal.order",
    "A removal has its order from what needs what: the applications that need others go first.",
  );
