import { reason } from "../../domain/reason.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { inTransaction } from "../retry.ts";
import { changeDeployment } from "./change_deployment.ts";
import type { DeploymentDeps } from "./load_plan.ts";
import { sayMissingApprovals } from "./lock_deployment.ts";
import { startWaiting } from "./start_waiting.ts";

/** Tells the deployments of a version that its artifacts came, did not come, or are still waited for; starts what may start. */
export async function settleBuilds(deps: DeploymentDeps, versionId: string): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const [version] = await tx<{ builds: "waiting" | "ready" | "failed"; text: string }[]>`
      select builds, builds_reason ->> 'text' as text from version where id = ${versionId}`;
    const rows = await tx<
      { id: string; projectId: string; status: DeploymentState; approvalsNeeded: number; planHash: string }[]
    >`
      select id, project_id, status, approvals_needed, plan_hash from deployment
      where version_id = ${versionId} and status in ('pending', 'awaiting_approval') order by id for update`;
    for (const row of rows) {
      if (version!.builds === "failed") {
        await changeDeployment(tx, row, "failed", reason("deployment.policy", { detail: version!.text }), {
          errorMessage: version!.text,
        });
      } else if (version!.builds === "waiting") {
        await changeDeployment(tx, row, "pending", reason("deployment.waiting_for_builds", { detail: version!.text }));
      } else if (row.status === "pending") {
        // Approvals may have been given while the artifacts were still being built.
        const missing = await sayMissingApprovals(tx, row);
        if (missing) await changeDeployment(tx, row, "awaiting_approval", missing);
        else await changeDeployment(tx, row, "pending", reason("deployment.builds_ready"));
      }
    }
  });
  deps.hints.announce("events");
  await startWaiting(deps, { versionId });
}
