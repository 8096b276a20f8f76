/**
 * Makes an older state safe to go on from, in one transaction. Between the backup and now machines
 * may have been given tasks, releases and tickets that this state knows nothing of:
 *
 *   fences         above every one that was ever given out, so that a word of an attempt of that time is never believed
 *   generations    likewise: machines refuse what is older than what they took on
 *   leases         nobody holds any; the tasks are handed out again, after every lease of that time has ended
 *   tickets        none is asked for at the next hello, because the machines' are newer than ours
 *   events         of another server's transactions: before all of this one's
 *   sessions       people sign in again
 *   deployments    what ran is paused, and every environment is frozen, until a person has looked
 *   upgrades       no further machine is told to replace its agent; what was told then is judged by what it runs
 */
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import { systemActor } from "../database.ts";
import type { Database, Tx } from "../database.ts";
import { changeDeployment } from "../deployments/change_deployment.ts";
import type { DeploymentRow } from "../deployments/change_deployment.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { cancelWaiting } from "../upgrades/cancel_upgrade.ts";
import { recordEvents } from "../events/record_event.ts";
import { loseTasks } from "../tasks/lose_tasks.ts";
import type { LostTask } from "../tasks/lose_tasks.ts";
import { unmarkRestoring } from "./restoring.ts";

export interface Restored {
  /** When the backup was made, and where it is from: for people and the audit. */
  takenAt: string;
  product: string;
  /** Nothing is paused or frozen: nobody has worked since the backup. */
  goOn: boolean;
  /** After so long no agent believes in a lease of that time any more. */
  leaseSeconds: number;
}
export interface Settled {
  paused: number;
  frozen: string[];
  handedOutAgain: number;
}

const FREEZE_DAYS = 7;
/** Before every transaction of this server; the events keep their order by id. */
const FIRST_XID = "3";
const actor = systemActor("restore");

export async function settleRestored(db: Database, tx: Tx, restored: Restored): Promise<Settled> {
  const paused = restored.goOn ? [] : await pauseRunning(tx, restored);
  // Milliseconds since 1970: nobody claims a task a thousand times a second, and the next restore is later than this.
  await tx`update task set fence = greatest(fence, (extract(epoch from boreas_now()) * 1000)::bigint) where is_leaf`;
  await tx`update application_environment set generation = greatest(generation, (extract(epoch from boreas_now()) * 1000)::bigint)`;
  const lost = await tx<LostTask[]>`
    select t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason, t.attempt, t.losses, coalesce(a.name, 'an agent') as agent
    from task t left join agent a on a.id = t.agent_id where t.agent_id is not null order by t.id for update of t`;
  await loseTasks(tx, lost, (t) => reason("task.restored", { attempt: t.attempt, next: t.attempt + 1 }), () => 0);
  await tx`update task set run_after = greatest(run_after, boreas_now() + make_interval(secs => ${restored.leaseSeconds}))
    where state in ('blocked', 'pending') and is_leaf`;
  await tx`update agent set status = case when status = 'connected' then 'disconnected' else status end, session_id = null,
    ticket = null, previous_ticket = null, arrivals = arrivals + 1`;
  await tx`update event set xid = ${FIRST_XID}::xid8`;
  await tx`delete from setting where key in ('notifications.cursor', 'statuses.cursor', 'sweep', 'rollouts')`;
  await tx`update app_user set sessions_valid_from = boreas_now()`;
  await tx`update deployment set rollback_until = boreas_now() + make_interval(secs => rollback_seconds) where rollback_until is not null`;
  const frozen = restored.goOn ? [] : await freezeAll(db, tx, restored);
  const upgrades = restored.goOn ? [] : await tx<{ id: string; version: string }[]>`
    select id, version from upgrade where status = 'running' order by id for update`;
  for (const upgrade of upgrades) await cancelWaiting(tx, upgrade, "the restore of a backup");
  // Silent since the backup, they would be given up before they can come back.
  await tx`update upgrade_agent set updated_at = boreas_now() where state = 'asked'`;
  await moveDeployments(db, tx, [...new Set(lost.map((task) => task.deploymentId))].sort());
  await unmarkRestoring(tx);
  await recordAudit(db, tx, actor, "database.restore", "database", {
    ...{ takenAt: restored.takenAt, madeBy: restored.product },
    ...{ paused: paused.length, handedOutAgain: lost.length, frozen, upgrades: upgrades.length },
  });
  return { paused: paused.length, frozen, handedOutAgain: lost.length };
}

async function pauseRunning(tx: Tx, { takenAt }: Restored): Promise<DeploymentRow[]> {
  const rows = await tx<DeploymentRow[]>`
    select id, project_id, status from deployment where status = 'running' order by id for update`;
  const said = reason("deployment.restored", { at: takenAt });
  for (const row of rows) {
    await tx`update task set open = false where deployment_id = ${row.id} and not is_rollback and completed_at is null`;
    await changeDeployment(tx, row, "paused", said);
  }
  // An answer of its own would be given the moment a master starts: a person is to give it.
  await tx`update deployment set ask_until = null where ask_until is not null`;
  return rows;
}

async function freezeAll(db: Database, tx: Tx, { takenAt }: Restored): Promise<string[]> {
  const environments = await tx<{ id: string; name: string; projectId: string; until: string }[]>`
    select id, name, project_id, boreas_now() + make_interval(days => ${FREEZE_DAYS}) as until from environment order by name`;
  const why = `restored from the backup of ${takenAt}; end this freeze when what runs is what should run`;
  for (const { id, projectId, until } of environments) {
    await tx`insert into "freeze" (id, project_id, environment_id, reason, starts_at, ends_at, created_by)
      values (${db.newId()}, ${projectId}, ${id}, ${why}, boreas_now(), ${until}, ${actor.name})`;
  }
  await recordEvents(
    tx,
    environments.map(({ id, name, projectId, until }) => ({
      topic: "environment" as const,
      projectId,
      subjectId: id,
      kind: "environment.frozen",
      data: { name, by: actor.name, until, why },
    })),
  );
  return environments.map(({ name }) => name);
}
