/**
 * "Good enough: everywhere, now." Of the applications that are being rolled out, the wait or gate of the moment ends, and
 * those that would come lose their time: they pass when their turn comes, so the order of everything else stays.
 *
 *   m1 | [wait 10 m] | m2 m3 | gate | approval | m4 ...     promoted: goes on through m2 m3 and the gate to the approval
 *
 * What people are asked is still asked, and the watch behind the last batch stays.
 */
import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Tx } from "../database.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";
import { lockDeployment } from "../deployments/lock_deployment.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { endWaits } from "./skip_wait.ts";

export async function promoteDeployment(deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const row = await lockDeployment(tx, id, actor.projectId);
    if (row.status !== "running" && row.status !== "paused") {
      throw new AppError(
        "conflict",
        "deployment.wrong_state",
        `Only a running deployment can be promoted; this one is ${row.status}.`,
      );
    }
    const said = reason("task.wait_skipped", { actor: actor.name, note: note || "no reason given" });
    const ahead = await tx<{ id: string }[]>`
      update task t set is_leaf = false, updated_at = boreas_now(), payload = t.payload
        || jsonb_build_object('promoted', ${tx.json(said as never)}::jsonb, 'pauseSeconds', 0)
        || case when t.type = 'gate' then jsonb_build_object('kind', 'promoted') else '{}' end
      from task p
      where p.id = t.parent_id and p.deployment_id = ${id} and ${
      isUnderWay(tx)
    } and t.state = 'blocked' and not t.is_rollback
        and t.type in ('pause', 'gate') and t.payload ->> 'kind' is distinct from 'watch' and not t.payload ? 'promoted'
      returning t.id`;
    const now = await tx<{ id: string }[]>`
      select t.id from task t join task p on p.id = t.parent_id
      where p.deployment_id = ${id} and ${isUnderWay(tx)} and not t.is_rollback
        and (t.type in ('pause', 'gate') and t.state = 'pending' or t.type = 'gate' and t.state in ('leased', 'running'))
        and t.payload ->> 'kind' is distinct from 'watch'`;
    if (ahead.length === 0 && now.length === 0) {
      throw new AppError(
        "conflict",
        "deployment.nothing_to_promote",
        "No pause and no gate lies before the applications that are being rolled out, so there is nothing to promote.",
      );
    }
    await endWaits(tx, now.map((task) => task.id), said);
    await recordEvents(tx, [{
      topic: "deployment",
      projectId: row.projectId,
      subjectId: id,
      deploymentId: id,
      kind: "deployment.promoted",
      data: {
        name: row.status,
        reason: reason("deployment.promoted", { actor: actor.name, note: note || "no reason given" }),
      },
    }]);
    await recordAudit(deps.db, tx, actor, "deployment.promote", `deployment:${id}`, { note });
    await moveDeployments(deps.db, tx, [id]);
  });
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}

/** Its turn has come: a whole whose very first part waits has not begun, and is waited for like any other. */
const isUnderWay = (tx: Tx) => tx`p.state in ('pending', 'running')`;
