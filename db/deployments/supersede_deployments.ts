import { reason } from "../../domain/reason.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { inTransaction } from "../retry.ts";
import { changeDeployment } from "./change_deployment.ts";
import type { DeploymentDeps } from "./load_plan.ts";

/**
 * A newer version contains the older: ends older deployments of the same applications to the same environment that have not started. Those that
 * run are never torn out, and what removes an application carries no version to replace.
 */
export async function supersedeOlder(
  deps: DeploymentDeps,
  by: { environmentId: string; versionId: string; repositoryId: string },
): Promise<number> {
  const count = await inTransaction(deps.db, async (tx) => {
    const rows = await tx<{ id: string; projectId: string; status: DeploymentState; newer: string }[]>`
      select d.id, d.project_id, d.status, n.version as newer
      from deployment d join version v on v.id = d.version_id join version n on n.id = ${by.versionId}
      where d.environment_id = ${by.environmentId} and d.status in ('pending', 'awaiting_approval') and not d.removes
        and exists (select from deployment b where b.version_id = n.id and not b.removes and b.environment_id = d.environment_id and b.applications && d.applications)
        and v.repository_id = ${by.repositoryId} and v.id <> n.id and v.created_at < n.created_at
      order by d.id for update of d`;
    for (const row of rows) {
      await changeDeployment(tx, row, "superseded", reason("deployment.superseded", { version: row.newer }));
    }
    return rows.length;
  });
  if (count > 0) deps.hints.announce("events");
  return count;
}
