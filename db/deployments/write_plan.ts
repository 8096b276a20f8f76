import { ruleOf, sayAsked } from "../../domain/approval_rule.ts";
import type { PlannedTask } from "../../domain/plan_deployment.ts";
import { parseDuration } from "../../domain/duration.ts";
import { reason } from "../../domain/reason.ts";
import type { Operation } from "../../protocol/operation.ts";
import type { Database, Tx } from "../database.ts";
import { insertTasks } from "./insert_tasks.ts";
import type { LoadedPlan, PlannedApplication } from "./load_plan.ts";

/** What of an operation is known when it is planned; generation and spec follow at the start. */
type OperationDraft = Omit<Operation, "spec" | "generation">;

/** Writes the plan's tasks, closed: starting opens them. Replaces what an earlier plan of this deployment wrote. */
export async function writePlan(
  db: Database,
  tx: Tx,
  deploymentId: string,
  projectId: string,
  plan: LoadedPlan,
): Promise<void> {
  await tx`delete from task where deployment_id = ${deploymentId}`;
  await tx`
    update deployment set plan_hash = ${plan.hash}, on_failure = ${plan.onFailure}, rollback_scope = ${plan.rollbackScope},
      ask_seconds = ${plan.askSeconds}, ask_default = ${plan.askDefault}, rollback_seconds = ${plan.rollbackSeconds}
    where id = ${deploymentId}`;
  const ids = new Map(plan.tasks.map((t) => [t.key, db.newId()]));
  const apps = new Map(plan.deployed.map((a) => [a.name, a]));
  await insertTasks(
    tx,
    plan.tasks.map((task, position) => {
      const app = apps.get(task.application)!;
      return {
        id: ids.get(task.key)!,
        projectId,
        deploymentId,
        parentId: task.parentKey ? ids.get(task.parentKey)! : null,
        environmentId: plan.environment.id,
        appId: app.id,
        name: task.name,
        type: task.type,
        position,
        isLeaf: task.isLeaf,
        isRollback: false,
        open: false,
        maxAttempts: attemptsOf(task, app, plan),
        maxFailures: task.maxFailures,
        leftOut: task.isLeftOut ? sayLeftOut(task.name, plan) : null,
        dependsOn: task.dependsOn.map((key) => ids.get(key)!),
        targetAgentId: plan.environment.type === "pm" ? task.target?.id ?? null : null,
        payload: payloadOf(task, app, deploymentId, plan),
        specSha256: null,
      };
    }),
  );
}

/** Taking away what is gone already is no failure, so trying again costs nothing. */
const REMOVAL_ATTEMPTS = 3;
function attemptsOf({ work }: PlannedTask, app: PlannedApplication, { removes }: LoadedPlan): number {
  if (work.kind !== "apply") return 1;
  return Math.max(app.config.attempts ?? 1, removes ? REMOVAL_ATTEMPTS : 1);
}

function payloadOf(
  task: PlannedTask,
  app: PlannedApplication,
  deploymentId: string,
  plan: LoadedPlan,
): Record<string, unknown> {
  const { work } = task;
  const whole = task.parentKey === null ? laterHooksOf(app) : {};
  switch (work.kind) {
    case "whole":
      return { ...whole, ...batchingOf(task, plan) };
    case "pause":
      return { pauseSeconds: work.seconds };
    case "meeting":
      return { kind: "meeting", parts: work.parts, pauseSeconds: 0 };
    case "watch":
      return { kind: "watch", pauseSeconds: work.seconds, application: app.name };
    case "approval":
      return { kind: "approval", approve: work.approve, application: app.name, asks: sayAsked(ruleOf(work.approve)) };
    case "gate":
      if (!("script" in work.gate)) {
        return { kind: "http" in work.gate ? "http" : "prometheus", gate: work.gate, application: app.name };
      }
  }
  return {
    ...draftOperation(task, app, deploymentId, plan),
    ...whole,
    ...(task.batch === null ? {} : { batch: task.batch }),
    ...(work.kind === "apply" && work.step ? { step: work.step } : {}),
    ...(task.isLeftOut ? { leftOut: "cordoned" } : {}),
  };
}

/** A script that says nothing of its time. */
const SCRIPT_SECONDS = 600;
const secondsOf = (duration: string | undefined, otherwise: number) =>
  duration === undefined ? otherwise : parseDuration(duration)!;

function draftOperation(
  { work, target }: PlannedTask,
  app: PlannedApplication,
  deploymentId: string,
  { version, environment }: LoadedPlan,
): OperationDraft {
  const common = {
    kind: environment.type,
    isRollback: false,
    deploymentId,
    applicationId: app.id,
    app: app.name,
    versionId: version.id,
    version: version.version,
    commit: version.gitCommit,
    environmentId: environment.id,
    environment: environment.name,
    target,
  };
  if (work.kind === "hook") {
    const { name, hook } = work;
    const timeoutSeconds = secondsOf(hook.timeout, SCRIPT_SECONDS);
    return { ...common, action: "hook", hook: { name, run: hook.run }, timeoutSeconds };
  }
  if (work.kind === "gate" && "script" in work.gate) {
    const { script, every, for: lasts, timeout } = work.gate;
    const [everySeconds, forSeconds] = [secondsOf(every, 60), secondsOf(lasts, 0)];
    const timeoutSeconds = secondsOf(timeout, SCRIPT_SECONDS);
    const gate = { run: script, everySeconds, forSeconds, timeoutSeconds };
    return { ...common, action: "gate", gate, timeoutSeconds: forSeconds + timeoutSeconds };
  }
  if (work.kind !== "apply") throw new Error(`No agent is asked for a ${work.kind}.`);
  const timeout = app.config.timeout ?? app.config.runtime?.script?.timeout;
  return {
    ...common,
    action: work.phase,
    ...(work.hold && { hold: true }),
    timeoutSeconds: timeout ? parseDuration(timeout)! : null,
  };
}

/** What is only planned when something goes wrong is remembered with the application's task: files may change meanwhile. */
function laterHooksOf({ config }: PlannedApplication): Record<string, unknown> {
  const { onRollback, onFailure } = config.hooks ?? {};
  return onRollback || onFailure ? { hooks: { onRollback, onFailure } } : {};
}

const sayLeftOut = (machine: string, { version }: LoadedPlan) =>
  reason("task.left_out_cordoned", { machine, version: version.version });

/** How its batches were cut, for whoever looks at it or cuts them anew. */
function batchingOf(task: PlannedTask, plan: LoadedPlan): Record<string, unknown> {
  const strategy = plan.strategies[task.application];
  if (strategy?.type === "canary" || strategy?.type === "blueGreen") return { strategy: strategy.type };
  if (strategy?.type !== "rolling" || plan.tasks.some((part) => isBesidesDeploy(part, task))) return {};
  return { batch: strategy.batch ?? 1, ...(strategy.wait ? { waitSeconds: parseDuration(strategy.wait)! } : {}) };
}

/** Within a batch something lies besides the deploy of each machine: such a batch is not cut anew. */
const isBesidesDeploy = ({ parentKey, batch, work }: PlannedTask, whole: PlannedTask) =>
  parentKey === whole.key && batch !== null &&
  !(work.kind === "apply" && (work.phase === "deploy" || work.phase === "remove"));
