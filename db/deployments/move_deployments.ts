/**
 * Lets deployments make the move that their tasks call for (`domain/roll_up.ts` decides, this writes), in the
 * transaction that ended the tasks. The caller holds the deployment rows.
 */
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import { nextMove } from "../../domain/roll_up.ts";
import type { StateCounts } from "../../domain/roll_up.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { FailureAction, RollbackScope } from "../../domain/strategy.ts";
import type { Database, Tx } from "../database.ts";
import { askPeople } from "./ask_people.ts";
import { beginRollback } from "./begin_rollback.ts";
import { changeDeployment } from "./change_deployment.ts";
import { isPrepared } from "./is_prepared.ts";
import { mayMove } from "./may_move.ts";
import { planFailureHooks, readOpenHooks } from "./plan_failure_hooks.ts";
import { noteRemoved } from "./settle_removal.ts";
import { skipWaitingTasks } from "../tasks/stop_tasks.ts";

interface Row {
  id: string;
  projectId: string;
  status: DeploymentState;
  reason: Reason;
  onFailure: FailureAction;
  rollbackScope: RollbackScope;
  /** What it has asked people about last: only such a one has hooks of a failure when it completes. */
  causeTaskId: string | null;
  /** Machines that were away when their turn came. */
  leftOut: string[] | null;
  /** Machines that a person left out. */
  excluded: string[] | null;
  version: string;
  /** It takes its applications away. */
  removes: boolean;
  applications: string[];
  environment: string;
  forward: StateCounts | null;
  backward: StateCounts | null;
  /** The first task that failed, of the half that is under way; a part only when its whole has not failed yet. */
  cause: { id: string; name: string; text: string } | null;
  waiting: number;
  /** Parents that go on though more of their parts have failed than they tolerate. */
  doomed: number;
}

export async function moveDeployments(db: Database, tx: Tx, deploymentIds: readonly string[]): Promise<void> {
  for (const row of await readMovable(tx, deploymentIds)) await move(db, tx, row);
}

/** Deployments of these tasks that may have a move to make: as good as none, so no more is read of them than that. */
export async function findMovable(tx: Tx, taskIds: readonly string[]): Promise<string[]> {
  const rows = await tx<{ id: string }[]>`
    select d.id from (
      select id, status from deployment where id = any(array(select deployment_id from task where id = any(${taskIds}::uuid[])))
      offset 0 -- by id first: a plan that began with all that are open would be as quick only while few are
    ) d where ${isMovable(tx)}`;
  return rows.map((row) => row.id);
}
const isMovable = (tx: Tx) =>
  tx`d.status in ('running', 'paused', 'cancelling', 'rolling_back') and (d.status <> 'running' or ${
    mayMove(tx, tx`d.id`)
  })`;

/** Those of them that may have a move to make, with all that decides on it. */
export async function readMovable(tx: Tx, deploymentIds: readonly string[]): Promise<Row[]> {
  if (deploymentIds.length === 0) return [];
  return await tx<Row[]>`
    select d.id, d.project_id, d.status, d.reason, d.on_failure, d.rollback_scope, d.cause_task_id, v.version, d.removes, d.applications,
      (select e.name from environment e where e.id = d.environment_id) as environment,
      (select array_agg(distinct coalesce(t.payload -> 'target' ->> 'name', t.name)) from task t where t.deployment_id = d.id and t.state = 'skipped' and t.payload ? 'leftOut' and t.payload ->> 'leftOut' <> 'excluded') as left_out,
      (select array_agg(distinct t.payload -> 'target' ->> 'name') from task t where t.deployment_id = d.id and t.state = 'skipped' and t.payload ->> 'leftOut' = 'excluded') as excluded,
      (select jsonb_object_agg(s.state, s.n) from (select state, count(*)::int as n from task t where t.deployment_id = d.id and t.parent_id is null and not t.is_rollback group by state) s) as forward,
      (select jsonb_object_agg(s.state, s.n) from (select state, count(*)::int as n from (${
    newestRollback(tx)
  }) t group by state) s) as backward,
      (select count(*)::int from task t where t.deployment_id = d.id and not t.is_rollback and t.state in ('blocked', 'pending')) as waiting,
      (select count(*)::int from task p where p.deployment_id = d.id and not p.is_rollback and not p.is_leaf and p.completed_at is null
        and p.max_failures < (select count(*) from task c where c.parent_id = p.id and c.state = 'failed')) as doomed,
      (select jsonb_build_object('id', t.id, 'name', t.name, 'text', t.reason ->> 'text') from (
          select * from task t where t.deployment_id = d.id and not t.is_rollback and d.status <> 'rolling_back'
          union all select * from (${newestRollback(tx)}) r where d.status = 'rolling_back'
        ) t where t.state = 'failed' order by t.parent_id nulls first, t.completed_at, t.id limit 1) as cause
    from deployment d join version v on v.id = d.version_id
    where d.id = any(${deploymentIds}::uuid[]) and ${isMovable(tx)}
    order by d.id`;
}

/** A rollback may be asked for again after one that failed: of each application only the newest try counts. */
const newestRollback = (tx: Tx) =>
  tx`select distinct on (b.app_id) b.* from task b
     where b.deployment_id = d.id and b.parent_id is null and b.is_rollback and b.type <> 'hook' order by b.app_id, b.position desc`;

/** Makes the move of one that `readMovable` found, if it has one. */
export async function move(db: Database, tx: Tx, row: Row): Promise<void> {
  const { forward = {}, backward = {}, cause } = row;
  const status = row.status as "running" | "paused" | "cancelling" | "rolling_back";
  const params = { task: cause?.name ?? "a task", detail: cause?.text ?? "" };
  switch (nextMove(status, forward ?? {}, backward ?? {}, row.onFailure, row.waiting, row.doomed)) {
    case "none":
      return;
    case "complete": {
      const stranded = forward?.skipped ? await readStranded(tx, row.id) : undefined;
      if (stranded) {
        if ((await planFailureHooks(db, tx, row)).length > 0) return; // their end asks again
        if (row.removes) await noteRemoved(tx, row.id, false);
        const said = reason(row.removes ? "deployment.removal_stranded" : "deployment.stranded", stranded);
        return await changeDeployment(tx, row, "failed", said, { errorMessage: said.text });
      }
      if (row.causeTaskId !== null && await isHeld(tx, row)) return;
      if (row.removes) await noteRemoved(tx, row.id, !row.excluded);
      return await changeDeployment(
        tx,
        row,
        "completed",
        sayCompleted(forward?.success ?? 0, row),
      );
    }
    case "fail":
      if ((await planFailureHooks(db, tx, row)).length > 0) return; // their end asks again
      if (row.removes) await noteRemoved(tx, row.id, false);
      return await changeDeployment(tx, row, "failed", sayFailure(forward ?? {}, params), {
        errorMessage: params.detail,
        causeTaskId: cause?.id,
      });
    case "pause":
      await askPeople(tx, row, { causeTaskId: cause?.id, params });
      return void (await planFailureHooks(db, tx, row));
    case "stop": {
      const said = reason("task.skipped_stopped", {
        detail: `${params.task} failed, and the deployment stops on a failure.`,
      });
      const skipped = await skipWaitingTasks(tx, row.id, said);
      return skipped > 0 ? await moveDeployments(db, tx, [row.id]) : undefined;
    }
    case "roll_back":
      await beginRollback(db, tx, row, reason("deployment.rolling_back", params), {
        causeTaskId: cause?.id,
        scope: row.rollbackScope,
        versionReason: reason("version.reverted_by_rollback", params),
      });
      return await moveDeployments(db, tx, [row.id]);
    case "cancelled":
      if (await isHeld(tx, row)) return;
      if (row.removes) await noteRemoved(tx, row.id, false);
      return await changeDeployment(tx, row, "cancelled", await sayCancelled(tx, row));
    case "rolled_back":
      if (await isHeld(tx, row)) return;
      return await changeDeployment(
        tx,
        row,
        "rolled_back",
        reason(isPartial(row) ? "deployment.rolled_back_part" : "deployment.rolled_back", {
          detail: sayCause(row.reason),
        }),
      );
    case "rollback_failed":
      if (await isHeld(tx, row)) return;
      return await changeDeployment(tx, row, "rollback_failed", reason("deployment.rollback_failed", params), {
        errorMessage: params.detail,
      });
  }
}

/** What remains of it is said; `end_prepared.ts` ends it. */
async function sayCancelled(tx: Tx, { id, reason: said }: Row): Promise<Reason> {
  const actor = String(said.params.actor ?? "a person");
  const [{ places }] = await tx<[{ places: string | null }]>`
    select string_agg(a.name || coalesce(' on ' || (t.payload -> 'target' ->> 'name'), ''), ', ' order by t.position) as places
    from task t join application a on a.id = t.app_id where t.deployment_id = ${id} and ${isPrepared(tx)}`;
  return places
    ? reason("deployment.cancelled_prepared", { actor, places })
    : reason("deployment.cancelled", { actor });
}

/** Applications that did not get the version because one that they need has it nowhere: all its machines were left out. */
async function readStranded(tx: Tx, id: string): Promise<{ applications: string; needed: string } | undefined> {
  const [row] = await tx<{ applications: string | null; needed: string | null }[]>`
    select string_agg(name, ', ' order by position) filter (where reason ->> 'code' = 'task.skipped_dependency') as applications,
      string_agg(name, ', ' order by position) filter (where reason ->> 'code' <> 'task.skipped_dependency') as needed
    from task where deployment_id = ${id} and parent_id is null and not is_rollback and state = 'skipped'`;
  return row?.applications ? { applications: row.applications, needed: row.needed ?? row.applications } : undefined;
}

/** Its end waits for its onFailure hooks, as a rollback's tasks do; their end asks again. */
const isHeld = async (tx: Tx, { id }: Row): Promise<boolean> => (await readOpenHooks(tx, id)).length > 0;

function sayCompleted(count: number, { version, leftOut, excluded, removes, ...row }: Row): Reason {
  if (removes) {
    const { environment } = row;
    const [params, machines] = [{ applications: row.applications.join(", "), environment }, leftOut ?? excluded];
    if (!machines) return reason("deployment.removed", params);
    const code = leftOut ? "deployment.removed_without" : "deployment.removed_excluding";
    return reason(code, { ...params, machines: machines.join(", ") });
  }
  if (!leftOut && !excluded) return reason("deployment.completed", { count, version });
  if (!leftOut) return reason("deployment.completed_excluding", { count, version, machines: excluded!.join(", ") });
  return reason("deployment.completed_without", { count, version, machines: leftOut.join(", ") });
}

/** A person's wish is for all of it; a failure goes back as far as the strategy says. */
const isPartial = ({ rollbackScope, reason }: Row) =>
  rollbackScope !== "deployment" && reason.code === "deployment.rolling_back";

/** Why it went back, from what it said when it began to. */
function sayCause({ params }: Reason): string {
  return params.task ? `${params.task} failed: ${params.detail}` : `${params.actor} asked for it: ${params.note}`;
}

function sayFailure(forward: StateCounts, params: { task: string; detail: string }): Reason {
  const failed = forward.failed ?? 0;
  if (failed <= 1) return reason("deployment.failed", params);
  const count = Object.values(forward).reduce((sum: number, n) => sum + (n ?? 0), 0);
  return reason("deployment.failed_many", { ...params, failed, count });
}
