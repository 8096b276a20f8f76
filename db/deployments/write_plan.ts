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
        maxAttempts: app.config.attempts ?? 1,
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

function payloadOf(
  task: PlannedTask,
  app: PlannedApplication,
  deploymentId: string,
  plan: LoadedPlan,
): Record<string, unknown> {
  if (task.pauseSeconds !== null) {
    return task.type === "gate"
      ? { kind: "watch", pauseSeconds: task.pauseSeconds, application: app.name }
      : { pauseSeconds: task.pauseSeconds };
  }
  // How its batches were cut, for whoever looks at it or cuts them anew.
  if (!task.isLeaf) return batchingOf(task, plan);
  const { version, environment } = plan;
  const runtime = app.config.runtime;
  const timeout = app.config.timeout ?? runtime?.script?.timeout;
  const draft: OperationDraft = {
    kind: environment.type,
    action: "deploy",
    isRollback: false,
    deploymentId,
    applicationId: app.id,
    app: app.name,
    versionId: version.id,
    version: version.version,
    commit: version.gitCommit,
    environmentId: environment.id,
    environment: environment.name,
    target: task.target,
    timeoutSeconds: timeout ? parseDuration(timeout)! : null,
  };
  return {
    ...draft,
    ...(task.batch === null ? {} : { batch: task.batch }),
    ...(task.isLeftOut ? { leftOut: "cordoned" } : {}),
  };
}

const sayLeftOut = (machine: string, { version }: LoadedPlan) =>
  reason("task.left_out_cordoned", { machine, version: version.version });

function batchingOf(task: PlannedTask, plan: LoadedPlan): Record<string, unknown> {
  const strategy = plan.strategies[task.application];
  if (strategy?.type !== "rolling") return {};
  return { batch: strategy.batch ?? 1, ...(strategy.wait ? { waitSeconds: parseDuration(strategy.wait)! } : {}) };
}
