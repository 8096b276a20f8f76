/**
 * Turns a deployment round: stops what has not begun, asks what runs to stop, and plans one rollback task per
 * application that was reached, in reverse order, each with what ran there before. Where all goes back, or a gate, a hook
 * or a person has judged it, the version is marked `revert`, so that no trigger, poll or healing picks it up again; a
 * narrower scope blames the machines, not the version, which the others keep. All in the caller's transaction, which holds
 * the deployment row.
 */
import { chooseRollback } from "../../domain/choose_rollback.ts";
import { withinScope } from "../../domain/rollback_scope.ts";
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { RollbackScope } from "../../domain/strategy.ts";
import type { Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { askToStop, skipWaitingTasks } from "../tasks/stop_tasks.ts";
import { changeDeployment } from "./change_deployment.ts";
import type { DeploymentRow } from "./change_deployment.ts";
import { insertTasks } from "./insert_tasks.ts";
import { planFailureHooks } from "./plan_failure_hooks.ts";
import { planRollback } from "./plan_rollback.ts";
import { readReached } from "./read_reached.ts";
import type { ReachedPlace } from "./read_reached.ts";

export async function beginRollback(
  db: Database,
  tx: Tx,
  row: DeploymentRow,
  said: Reason,
  more: { causeTaskId?: string; versionReason: Reason; scope?: RollbackScope },
): Promise<void> {
  await changeDeployment(tx, row, "rolling_back", said, { causeTaskId: more.causeTaskId });
  await skipWaitingTasks(
    tx,
    row.id,
    reason("task.skipped_stopped", { detail: "the deployment is being rolled back." }),
  );
  await askToStop(tx, row.id);
  const { scope = "deployment" } = more;
  const everywhere = await readReached(tx, row.id);
  if (scope === "deployment" || everywhere.some((place) => place.isCondemned)) {
    await markVersion(tx, row, more.versionReason);
  }
  const reached = withinScope(everywhere, scope).filter(({ isHookOnly, hooks }) =>
    !isHookOnly || (hooks?.onRollback && hooks.onRollback.on !== "each")
  );
  const steps = chooseRollback(
    reached.map((place) => ({ ...place, position: place.topPosition })),
    await readOrder(tx, row.id),
  );
  const generations = await nextGenerations(tx, reached);
  const waitsFor = await planFailureHooks(db, tx, row);
  // One that was left when the deployment had ended would never be taken.
  await tx`update task set open = true, state_since = boreas_now() where id = any(${waitsFor}::uuid[]) and not open`;
  const [last] = await tx<
    { position: number }[]
  >`select coalesce(max(position), 0) as position from task where deployment_id = ${row.id}`;
  const lastPosition = last!.position;
  await insertTasks(tx, planRollback(db, row, { steps, reached, generations, lastPosition, waitsFor }));
}

/**
 * A version that failed to be deployed once more over itself is what one goes back to, not what one flees from; and what
 * was taken away is not to blame for that.
 */
async function markVersion(tx: Tx, row: DeploymentRow, said: Reason): Promise<void> {
  const versions = await tx<{ id: string }[]>`
    update version set status = 'revert', reason = ${tx.json(said as never)}, updated_at = boreas_now()
    where id = (select version_id from deployment where id = ${row.id} and not removes) and status <> 'revert'
      and not exists (select 1 from task t where t.deployment_id = ${row.id} and t.payload -> 'previous' ->> 'versionId' = version.id::text)
    returning id`;
  await recordEvents(
    tx,
    versions.map((v) => ({
      topic: "version" as const,
      projectId: row.projectId,
      subjectId: v.id,
      deploymentId: row.id,
      kind: "version.reverted",
      data: { name: "revert", reason: said },
    })),
  );
}

/** application -> applications it waited for, as the forward plan had it. */
async function readOrder(tx: Tx, deploymentId: string): Promise<Map<string, string[]>> {
  const rows = await tx<{ name: string; before: string[] }[]>`
    select t.name, coalesce(array_agg(b.name) filter (where b.name is not null), '{}') as before
    from task t left join task_dependency d on d.task_id = t.id left join task b on b.id = d.depends_on
    where t.deployment_id = ${deploymentId} and t.parent_id is null and not t.is_rollback group by t.id, t.name`;
  return new Map(rows.map((r) => [r.name, r.before]));
}

async function nextGenerations(tx: Tx, reached: readonly ReachedPlace[]): Promise<Map<string, number>> {
  const apps = [...new Set(reached.map((r) => r.appId))];
  const rows = await tx<{ applicationId: string; generation: number }[]>`
    update application_environment set generation = generation + 1, removed_at = null
    where application_id = any(${apps}::uuid[]) and environment_id = ${reached[0]?.environmentId ?? null}
    returning application_id, generation`;
  return new Map(rows.map((r) => [r.applicationId, r.generation]));
}
