/** A plan in the words of whoever is about to decide on it: per application what would be made, changed or left. */
import { diffValues } from "../../domain/diff_values.ts";
import type { ValueDifference } from "../../domain/diff_values.ts";
import type { PlannedTask } from "../../domain/planned_task.ts";
import type { StepInput, StrategyInput } from "../../domain/strategy.ts";
import type { Preview, PreviewedApplication } from "../../protocol/http_api.ts";
import type { RenderedSpec } from "../../protocol/operation.ts";
import type { Tx } from "../database.ts";
import type { LoadedPlan, PlannedApplication } from "./load_plan.ts";
import { specOf } from "./render_plan.ts";
import { sayDropped } from "./waive_checks.ts";

interface Running {
  applicationId: string;
  application: string;
  repositoryId: string | null;
  target: string;
  versionId: string | null;
  spec: string | null;
}
/** Of one application. */
const MOST_CHANGES = 100;

export async function describePlan(tx: Tx, plan: LoadedPlan): Promise<Preview> {
  const running = await tx<Running[]>`
    select s.application_id, a.name as application, a.repository_id, s.target, s.version_id, f.content as spec
    from app_state s join application a on a.id = s.application_id
    left join frozen_document f on f.sha256 = s.spec_sha256
    where s.environment_id = ${plan.environment.id} order by a.name, s.target`;
  const stateOf = (application: string, target: string | null) =>
    running.find((s) => s.application === application && s.target === (target ?? "-"));
  const actionOf = (application: string, target: string | null) => {
    const state = stateOf(application, target);
    if (!state) return "create" as const;
    return state.versionId === plan.version.id ? "unchanged" as const : "update" as const;
  };
  if (plan.removes) return describeRemoval(plan, running);
  const unchanged = plan.applications.filter((a) => !plan.deployed.includes(a));
  return {
    applications: plan.deployed.map((a) => a.name),
    summary: [
      ...plan.deployed.map((app) => describe(plan, app, running)),
      ...unchanged.map((app) => leftOut(plan, app)),
      ...findRemoved(plan, running),
    ],
    tasks: plan.tasks.map((t) => ({
      ...asPreviewed(t),
      ...(t.isLeaf && (t.type === "deploy" || t.type === "apply")
        ? { action: actionOf(t.application, t.target?.name ?? null) }
        : {}),
    })),
    dropped: [...plan.dropped],
    warnings: [
      ...(plan.dropped.length > 0 ? [sayDropped(plan)] : []),
      ...(plan.version.builds === "waiting" ? [plan.version.buildsReason.text] : []),
      ...plan.tasks.filter((t) => t.isLeftOut).map((t) =>
        `${t.name} is cordoned, so ${t.application} is left out there until it is uncordoned.`
      ),
      ...unchanged.map((a) => `${a.name} is left out: ${whyLeftOut(plan, a)}.`),
    ],
  };
}

const asPreviewed = ({ key, parentKey, name, application, type, dependsOn, target }: PlannedTask) => ({
  ...{ key, parentKey, name, application, type, dependsOn },
  target: target?.name ?? null,
});

function describeRemoval(plan: LoadedPlan, running: readonly Running[]): Preview {
  const there = (app: PlannedApplication) => running.filter((state) => state.application === app.name);
  return {
    applications: plan.deployed.map((app) => app.name),
    summary: plan.deployed.map((app) => ({
      ...nothing(plan, app.name),
      action: "delete",
      strategy: sayStrategy(plan.strategies[app.name]!),
      targets: there(app).length,
      approvals: approvalsOf(plan, undefined),
      note: `it runs on ${there(app).map((state) => state.target).join(", ")}`.replace(/ on -$/, " there"),
    })),
    tasks: plan.tasks.map((t) => ({ ...asPreviewed(t), ...(t.isLeaf ? { action: "remove" as const } : {}) })),
    dropped: [],
    warnings: [],
  };
}

const whyLeftOut = (plan: LoadedPlan, app: PlannedApplication) =>
  app.isRemoved
    ? `a person removed it from ${plan.environment.name}; name it to deploy it there again`
    : !app.bound
    ? `it is not bound to ${plan.environment.name}`
    : app.changed
    ? "it is not among those asked for"
    : "it did not change";

function describe(plan: LoadedPlan, app: PlannedApplication, running: readonly Running[]): PreviewedApplication {
  const there = running.filter((state) => state.application === app.name);
  const places = new Set(plan.tasks.flatMap((t) => t.application === app.name && t.target ? [t.target.name] : []));
  const isEverywhere = [...places].every((place) => there.some((state) => state.target === place));
  const isUnchanged = isEverywhere && there.every((state) => state.versionId === plan.version.id);
  const strategy = plan.strategies[app.name];
  return {
    application: app.name,
    environment: plan.environment.name,
    action: there.length === 0 ? "create" : isUnchanged ? "unchanged" : "update",
    strategy: strategy ? sayStrategy(strategy) : null,
    targets: Math.max(1, places.size),
    hooks: Object.entries(app.config.hooks ?? {}).flatMap(([name, hook]) =>
      hook ? [`${name}: ${hook.run} (${hook.on ?? "once"})`] : []
    ),
    gates: gatesOf(strategy, app),
    approvals: approvalsOf(plan, strategy),
    changes: there.length === 0 ? [] : changesOf(plan, app, there),
    note: null,
  };
}

const leftOut = (plan: LoadedPlan, app: PlannedApplication): PreviewedApplication => ({
  ...nothing(plan, app.name),
  action: app.bound && !app.isRemoved && !app.changed ? "unchanged" : "left_out",
  note: `${whyLeftOut(plan, app)}`,
});

const nothing = (plan: LoadedPlan, application: string) => ({
  application,
  environment: plan.environment.name,
  strategy: null,
  targets: 0,
  hooks: [],
  gates: [],
  approvals: [],
  changes: [],
});

/** What runs there of the same repository and is no part of the version: a deployment never destroys it by itself. */
function findRemoved(plan: LoadedPlan, running: readonly Running[]): PreviewedApplication[] {
  if (plan.version.repositoryId === null) return [];
  const gone = running.filter((state) =>
    state.repositoryId === plan.version.repositoryId && !plan.applications.some((app) => app.name === state.application)
  );
  return [...Map.groupBy(gone, (state) => state.application)].map(([application, states]) => ({
    ...nothing(plan, application),
    action: "delete" as const,
    targets: states.length,
    note: "it runs on and is not removed by a deployment",
  }));
}

/** Against what runs now, as it was sent; of several places the first that differs. */
function changesOf(plan: LoadedPlan, app: PlannedApplication, there: readonly Running[]): ValueDifference[] {
  if (plan.version.builds === "waiting") return []; // what will run is not known yet
  const next = specOf(plan, app);
  for (const state of there) {
    if (state.spec === null) continue;
    const changes = diffValues(comparable(JSON.parse(state.spec) as RenderedSpec), comparable(next));
    if (changes.length > 0) return changes.slice(0, MOST_CHANGES);
  }
  return [];
}

const comparable = ({ application: _, secrets, ...spec }: RenderedSpec) => ({
  ...spec,
  secrets: Object.fromEntries(secrets.map((name) => [name, "by name"])),
});

function sayStrategy(strategy: StrategyInput): string {
  const batch = strategy.type === "rolling" ? `, ${strategy.batch ?? 1} at a time` : "";
  const wait = strategy.wait ? `, ${strategy.wait} between` : "";
  const hold = strategy.hold ? `, the old release held ${strategy.hold}` : "";
  const steps = (strategy.steps ?? []).map(sayStep).join(" -> ");
  return `${strategy.type}${batch}${wait}${hold}${steps ? `: ${steps}` : ""}`;
}

function sayStep(step: StepInput): string {
  if ("target" in step) return `${step.target}`;
  if ("pause" in step) return `pause ${step.pause}`;
  return "gate" in step ? "gate" : "approve";
}

function gatesOf(strategy: StrategyInput | undefined, app: PlannedApplication): string[] {
  const gates = (strategy?.steps ?? []).flatMap((step) => "gate" in step ? [step.gate] : []);
  const watch = app.config.healthy?.watchAfter;
  return [
    ...gates.map((gate) =>
      "prometheus" in gate
        ? `prometheus: ${gate.prometheus}`
        : "http" in gate
        ? `http: ${gate.http}`
        : `script: ${gate.script}`
    ),
    ...(watch ? [`watch ${watch}`] : []),
  ];
}

function approvalsOf(plan: LoadedPlan, strategy: StrategyInput | undefined): string[] {
  const before = plan.environment.policy.approvals;
  const say = (count: number, roles: readonly string[] | undefined) =>
    `${count}${roles?.length ? ` of ${roles.join(", ")}` : ""}`;
  return [
    ...(before && before.count > 0 ? [`before it starts: ${say(before.count, before.roles)}`] : []),
    ...(strategy?.steps ?? []).flatMap((step) =>
      "approve" in step ? [say(step.approve.count ?? 1, step.approve.roles)] : []
    ),
  ];
}
