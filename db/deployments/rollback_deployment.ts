import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Tx } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { beginRollback } from "./begin_rollback.ts";
import type { DeploymentDeps } from "./load_plan.ts";
import { lockDeployment, takeLocksAgain } from "./lock_deployment.ts";
import type { LockedDeployment } from "./lock_deployment.ts";
import { moveDeployments } from "./move_deployments.ts";

const MAY_ROLL_BACK = ["running", "paused", "completed", "failed", "cancelled", "rollback_failed"];

/** Gives every place this deployment reached what it had before, and marks the version `revert`. */
export async function rollbackDeployment(deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const row = await lockDeployment(tx, id, actor.projectId);
    if (!MAY_ROLL_BACK.includes(row.status)) {
      throw new AppError(
        "conflict",
        "deployment.wrong_state",
        `A deployment that is ${row.status} cannot be rolled back.`,
      );
    }
    await requireLatest(tx, row);
    await requirePresent(tx, row);
    await takeLocksAgain(tx, row);
    await recordAudit(deps.db, tx, actor, "deployment.rollback", `deployment:${id}`, { note });
    const said = { actor: actor.name, note: note || "no reason given" };
    await beginRollback(deps.db, tx, row, reason("deployment.rolling_back_asked", said), {
      versionReason: reason("version.reverted", said),
    });
    await moveDeployments(deps.db, tx, [id]);
  });
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}

/**
 * Going back to what an old deployment found would undo everything that came after it: refused where something else runs
 * than what this one brought or had found.
 */
async function requireLatest(tx: Tx, row: LockedDeployment): Promise<void> {
  const [later] = await tx<{ name: string; version: string }[]>`
    select t.name, v.version from task t
    join app_state s on s.environment_id = t.environment_id and s.application_id = t.app_id and s.target = coalesce(t.payload -> 'target' ->> 'name', '-')
    join version v on v.id = s.version_id
    where t.deployment_id = ${row.id} and t.is_leaf and not t.is_rollback and t.attempt > 0 and s.version_id <> ${row.versionId}
      and s.version_id::text is distinct from t.payload -> 'previous' ->> 'versionId'
      and s.updated_at > t.completed_at limit 1`;
  if (later) {
    throw new AppError(
      "conflict",
      "deployment.not_latest",
      `${later.name} runs ${later.version} by now, from a later deployment; roll that one back instead.`,
    );
  }
}

/** What a person took away since comes back by a deployment that names it, and not by undoing what was before. */
async function requirePresent(tx: Tx, row: LockedDeployment): Promise<void> {
  const [gone] = row.removes ? await findRemovedAgain(tx, row) : await tx<{ name: string }[]>`
    select a.name from task t join application a on a.id = t.app_id
    join application_environment b on b.application_id = t.app_id and b.environment_id = t.environment_id
    where t.deployment_id = ${row.id} and t.is_leaf and not t.is_rollback and t.attempt > 0 and b.removed_at > t.completed_at
    order by a.name limit 1`;
  if (!gone) return;
  throw new AppError(
    "conflict",
    "deployment.removed",
    `${gone.name} was removed from there since; roll the removal back, or deploy a version that names it.`,
  );
}

/** What a removal took away, was deployed again and then removed again; machines that were only late do not count. */
const findRemovedAgain = async (tx: Tx, row: LockedDeployment): Promise<{ name: string }[]> =>
  await tx`
    select x.name from deployment n cross join unnest(n.applications) x(name)
    where n.environment_id = ${row.environmentId} and n.id > ${row.id} and n.removes and n.only_targets is null
      and n.started_at is not null and n.status <> 'rolled_back' and x.name = any(${row.applications}::text[])
    order by x.name limit 1`;
