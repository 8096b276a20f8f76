import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { type Aside, noAside } from "../aside.ts";
import { systemActor } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { changeDeployment } from "./change_deployment.ts";
import type { DeploymentDeps } from "./load_plan.ts";
import { lockDeployment } from "./lock_deployment.ts";
import { startDeployment } from "./start_deployment.ts";

/**
 * Starts what somebody wished to start and what now can: the deployment in its way has ended, or its artifacts have
 * come. Oldest first. One that cannot start any more (policy, plan) fails with that sentence instead of waiting for ever.
 */
export async function startWaiting(
  deps: DeploymentDeps,
  only?: { versionId: string },
  aside: Aside = noAside,
): Promise<void> {
  const rows = await deps.db.sql<{ id: string; projectId: string; createdBy: string }[]>`
    select d.id, d.project_id, d.created_by from deployment d join version v on v.id = d.version_id
    where d.status = 'pending' and d.auto_start and (v.builds = 'ready' or d.removes) and (d.frozen_until is null or d.frozen_until <= boreas_now()) and (${
    only?.versionId ?? null
  }::uuid is null or d.version_id = ${only?.versionId ?? null}::uuid)
      and d.id <> all(${aside.ids()}::uuid[])
      and not exists (select 1 from deployment_lock l join application a on a.id = l.application_id
        where l.environment_id = d.environment_id and a.project_id = d.project_id and a.name = any(d.applications))
    order by d.id limit 100`;
  for (const row of rows) {
    await aside.attempt(row.id, () => startOne(deps, row));
  }
}

async function startOne(
  deps: DeploymentDeps,
  row: { id: string; projectId: string; createdBy: string },
): Promise<void> {
  try {
    await startDeployment(deps, row.id, systemActor(row.createdBy, row.projectId));
  } catch (error: unknown) {
    if (!(error instanceof AppError)) throw error;
    await refuseStart(deps, row, error);
  }
}

async function refuseStart(
  deps: DeploymentDeps,
  row: { id: string; projectId: string },
  error: AppError,
): Promise<void> {
  await inTransaction(deps.db, async (tx) => {
    const locked = await lockDeployment(tx, row.id, row.projectId);
    if (locked.status !== "pending") return; // somebody else moved it meanwhile
    await changeDeployment(tx, locked, "failed", reason("deployment.policy", { detail: error.message }), {
      errorMessage: error.message,
    });
  });
  deps.hints.announce("events");
}
