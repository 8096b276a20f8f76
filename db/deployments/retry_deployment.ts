import { AppError } from "../../domain/app_error.ts";
import { sayRoles } from "../../domain/approval_rule.ts";
import { reason } from "../../domain/reason.ts";
import { readDeploymentRequest, readStandingApprovers } from "../approvals/read_request.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Tx } from "../database.ts";
import { findFrozen } from "../freezes/find_frozen.ts";
import { inTransaction } from "../retry.ts";
import { reopenTasks } from "../tasks/reopen_tasks.ts";
import { changeDeployment } from "./change_deployment.ts";
import { checkPlan } from "./check_policy.ts";
import { readEnvironment, readVersion } from "./load_plan.ts";
import type { DeploymentDeps, EnvironmentRow } from "./load_plan.ts";
import { lockDeployment, takeLocksAgain } from "./lock_deployment.ts";
import type { LockedDeployment } from "./lock_deployment.ts";
import { moveDeployments } from "./move_deployments.ts";

/** Takes up again what failed, of a deployment that is paused on a failure or has ended with one. */
export async function retryDeployment(
  deps: DeploymentDeps,
  id: string,
  actor: Actor,
  note = "",
  onlyTask: string | null = null,
): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const row = await lockDeployment(tx, id, actor.projectId);
    if (row.status !== "failed" && row.status !== "paused") {
      throw new AppError(
        "conflict",
        "deployment.wrong_state",
        `Only a failed deployment, or one paused on a failure, can be retried; this one is ${row.status}.`,
      );
    }
    await takeLocksAgain(tx, row);
    await requireNewest(tx, row);
    if (row.status === "failed") await requireWanted(tx, row);
    const count = await reopenTasks(tx, id, onlyTask === null ? null : [onlyTask], actor);
    if (count === 0) {
      throw new AppError(
        "conflict",
        "deployment.nothing_failed",
        "Nothing of this deployment has failed, so there is nothing to try again.",
      );
    }
    await tx`update task set open = true where deployment_id = ${id} and completed_at is null`;
    await changeDeployment(tx, row, "running", reason("deployment.resumed", { actor: actor.name }));
    // What else has failed is asked about again.
    if (row.onFailure === "pause") await moveDeployments(deps.db, tx, [id]);
    await recordAudit(deps.db, tx, actor, "deployment.retry", `deployment:${id}`, { note, task: onlyTask });
  });
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}

/** Over already, it would begin anew: only where it could be started today, and not in a freeze. */
async function requireWanted(tx: Tx, row: LockedDeployment): Promise<void> {
  const version = await readVersion(tx, row);
  const environment = await readEnvironment(tx, row);
  checkPlan({ version, environment, removes: row.removes });
  await requireApprovals(tx, row, environment.policy);
  const planned = version.plan.freeze ?? [];
  const frozen = await findFrozen(tx, { environment, planned, applications: row.applications });
  if (!frozen) return;
  const until = new Date(frozen.until).toISOString();
  throw new AppError(
    "conflict",
    "deployment.frozen",
    `${environment.name} is frozen until ${until}. Wait, or make a new deployment and start that with a reason.`,
  );
}

/** A floor that was raised meanwhile holds for whatever begins: who approved this plan must be who would have to today. */
async function requireApprovals(
  tx: Tx,
  { id, approvalsNeeded }: LockedDeployment,
  policy: EnvironmentRow["policy"],
): Promise<void> {
  const isBySilence = approvalsNeeded === 0 && policy.approvals?.onExpire === "approve";
  if (isBySilence) return;
  const request = await readDeploymentRequest(tx, id);
  const { count, notAuthor } = request.rule;
  const standing = count === 0 ? [] : await readStandingApprovers(tx, request);
  if (standing.length >= count) return;
  const asked = `${count} approval${count === 1 ? "" : "s"} by ${sayRoles(request.rule)}${
    notAuthor ? ", not by its author" : ""
  }`;
  throw new AppError(
    "conflict",
    "policy.approvals",
    `It takes ${asked} by now, and ${standing.length} of those that this plan was given count for that. Make a new deployment of this version, and let that be approved.`,
  );
}

/** A deployment that was started later has the places now: an older one must not land on top of it. */
async function requireNewest(tx: Tx, row: LockedDeployment): Promise<void> {
  const [later] = await tx<{ name: string }[]>`
    select a.name from task t join application a on a.id = t.app_id
    join application_environment b on b.application_id = t.app_id and b.environment_id = t.environment_id
    where t.deployment_id = ${row.id} and t.is_leaf and b.generation > (t.payload ->> 'generation')::bigint limit 1`;
  if (!later) return;
  throw new AppError(
    "conflict",
    "deployment.not_latest",
    `Another deployment of ${later.name} has been started since; make a new deployment of this version instead.`,
  );
}
