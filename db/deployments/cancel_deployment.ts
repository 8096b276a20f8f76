import { AppError } from "../../domain/app_error.ts";
import { isActive } from "../../domain/deployment_state.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { cancelTasks } from "../tasks/stop_tasks.ts";
import { changeDeployment } from "./change_deployment.ts";
import type { DeploymentDeps } from "./load_plan.ts";
import { lockDeployment } from "./lock_deployment.ts";
import { moveDeployments } from "./move_deployments.ts";

/** Ends a deployment. What runs is asked to stop, and only the agents' word (or the end of their leases) ends it. */
export async function cancelDeployment(deps: DeploymentDeps, id: string, actor: Actor, note = ""): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const row = await lockDeployment(tx, id, actor.projectId);
    if (row.status === "cancelling" || row.status === "cancelled") return; // who asked first is remembered
    if (row.status === "rolling_back") {
      throw new AppError(
        "conflict",
        "deployment.rolling_back",
        "A rollback under way is not cancelled: it would leave the targets on neither version. Wait for its end.",
      );
    }
    await recordAudit(deps.db, tx, actor, "deployment.cancel", `deployment:${id}`, { note });
    const detail = `${actor.name} cancelled the deployment${note ? `: ${note}` : "."}`;
    if (isActive(row.status)) {
      const said = reason("deployment.cancelling", { actor: actor.name });
      await changeDeployment(tx, row, "cancelling", said);
      await cancelTasks(tx, id, reason("task.cancelled", { detail }));
      await moveDeployments(deps.db, tx, [id]);
      return;
    }
    await cancelTasks(tx, id, reason("task.cancelled", { detail }));
    await changeDeployment(tx, row, "cancelled", reason("deployment.cancelled", { actor: actor.name }));
  });
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}
