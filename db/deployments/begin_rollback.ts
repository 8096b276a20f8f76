/**
 * Turns a deployment round: stops what has not begun, asks what runs to stop, and plans one rollback task per
 * application that was reached, in reverse order, each with what ran there before. Where all goes back, the version is
 * marked `revert`, so that no trigger, poll or healing picks it up again; a narrower scope blames the machines, not the
 * version, which the others keep. All in the caller's transaction, which holds the deployment row.
 */
import { chooseRollback } from "../../domain/choose_rollback.ts";
import type { ReachedPlace, RollbackStep } from "../../domain/choose_rollback.ts";
import { withinScope } from "../../domain/rollback_scope.ts";
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { RollbackScope } from "../../domain/strategy.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { askToStop, skipWaitingTasks } from "../tasks/stop_tasks.ts";
import { changeDeployment } from "./change_deployment.ts";
import type { DeploymentRow } from "./change_deployment.ts";
import { insertTasks } from "./insert_tasks.ts";
import type { NewTask } from "./insert_tasks.ts";

interface ReachedRow {
  id: string;
  application: string;
  appId: string;
  environmentId: string;
  targetAgentId: string | null;
  topPosition: number;
  held: boolean;
  state: TaskState;
  parentId: string | null;
  /** A watch saw it turn bad. */
  turnedBad: boolean;
  payload: Record<string, unknown> & {
    previous?: ReachedPlace["previous"];
    target: ReachedPlace["target"];
    batch?: number;
  };
}

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
  if (scope === "deployment") await markVersion(tx, row, more.versionReason);

  const everywhere = await tx<ReachedRow[]>`
    select t.id, t.app_id, t.environment_id, t.target_agent_id, t.payload, t.state, t.parent_id, coalesce(p.position, t.position) as top_position,
      coalesce(p.name, t.name) as application, t.state in ('leased', 'running', 'cancelling') as held,
      exists (select from task w where w.parent_id = t.parent_id and w.type = 'gate' and w.state = 'failed'
        and w.result -> 'machines' ? coalesce(t.payload -> 'target' ->> 'name', '-')) as turned_bad
    from task t left join task p on p.id = t.parent_id
    where t.deployment_id = ${row.id} and t.is_leaf and not t.is_rollback and t.attempt > 0 and t.payload ->> 'action' = 'deploy'
    order by top_position, t.position`;
  const reached = withinScope(
    everywhere.map((r) => ({
      ...r,
      isBad: r.turnedBad || r.state !== "success",
      batchOf: `${r.parentId ?? r.id} ${r.payload.batch ?? 1}`,
    })),
    scope,
  );
  const forward = await readOrder(tx, row.id);
  const steps = chooseRollback(
    reached.map((r) => ({
      application: r.application,
      target: r.payload.target,
      position: r.topPosition,
      previous: r.payload.previous ?? null,
    })),
    forward,
  );
  const generations = await nextGenerations(tx, reached);
  const [last] = await tx<
    { position: number }[]
  >`select coalesce(max(position), 0) as position from task where deployment_id = ${row.id}`;
  await insertTasks(tx, planRows(db, row, steps, reached, generations, last!.position));
}

/** A version that failed to be deployed once more over itself is what one goes back to, not what one flees from. */
async function markVersion(tx: Tx, row: DeploymentRow, said: Reason): Promise<void> {
  const versions = await tx<{ id: string }[]>`
    update version set status = 'revert', reason = ${tx.json(said as never)}, updated_at = boreas_now()
    where id = (select version_id from deployment where id = ${row.id}) and status <> 'revert'
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

async function nextGenerations(tx: Tx, reached: ReachedRow[]): Promise<Map<string, number>> {
  const apps = [...new Set(reached.map((r) => r.appId))];
  const rows = await tx<{ applicationId: string; generation: number }[]>`
    update application_environment set generation = generation + 1
    where application_id = any(${apps}::uuid[]) and environment_id = ${reached[0]?.environmentId ?? null}
    returning application_id, generation`;
  return new Map(rows.map((r) => [r.applicationId, r.generation]));
}

function planRows(
  db: Database,
  row: DeploymentRow,
  steps: RollbackStep[],
  reached: ReachedRow[],
  generations: Map<string, number>,
  lastPosition: number,
): NewTask[] {
  const tops = new Map(steps.map((s) => [s.application, db.newId()]));
  let position = lastPosition;
  return steps.flatMap((step) => {
    const places = reached.filter((r) => r.application === step.application);
    const held = places.filter((p) => p.held).map((p) => p.id);
    const dependsOn = [...step.dependsOn.map((name) => tops.get(name)!), ...held];
    const alone = places.length === 1;
    const topId = tops.get(step.application)!;
    const common = {
      projectId: row.projectId,
      deploymentId: row.id,
      type: "rollback" as const,
      isRollback: true,
      open: true,
      maxAttempts: 3,
    };
    const leaves = places.map((place): NewTask => {
      const { previous = null, ...operation } = place.payload;
      const payload = {
        ...operation,
        isRollback: true,
        action: previous ? "deploy" : "remove",
        generation: generations.get(place.appId) ?? operation.generation,
        ...(previous ? { versionId: previous.versionId, version: previous.version, commit: previous.commit } : {}),
      };
      return {
        ...common,
        id: alone ? topId : db.newId(),
        parentId: alone ? null : topId,
        environmentId: place.environmentId,
        appId: place.appId,
        name: alone ? step.application : place.payload.target?.name ?? step.application,
        position: ++position,
        isLeaf: true,
        dependsOn,
        targetAgentId: place.targetAgentId,
        payload,
        specSha256: previous?.specSha256 ?? null,
      };
    });
    if (alone) return leaves;
    const parent: NewTask = {
      ...common,
      id: topId,
      parentId: null,
      environmentId: places[0]!.environmentId,
      appId: places[0]!.appId,
      name: step.application,
      position: ++position,
      isLeaf: false,
      dependsOn,
      targetAgentId: null,
      payload: {},
      specSha256: null,
    };
    return [parent, ...leaves];
  });
}
