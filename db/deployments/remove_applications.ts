/**
 * A person wants applications gone from an environment: a deployment that takes them away, with everything that a
 * deployment has (policy, approvals, freezes, one at a time, rollout, logs, cancel).
 */
import { AppError } from "../../domain/app_error.ts";
import type { StrategyInput } from "../../domain/strategy.ts";
import type { Preview } from "../../protocol/http_api.ts";
import type { Actor, Database } from "../database.ts";
import { createDeployment } from "./create_deployment.ts";
import type { DeploymentInput } from "./create_deployment.ts";
import type { DeploymentDeps } from "./load_plan.ts";
import { previewDeployment } from "./preview_deployment.ts";
import { reason } from "../../domain/reason.ts";

export interface RemovalInput {
  environmentId: string;
  applications: readonly string[];
  strategy?: StrategyInput;
  manualApproval?: boolean;
  start?: boolean;
  note?: string;
}

/** @returns the deployment's id @throws AppError as `createDeployment`, and `removal.not_running`, `removal.needed` */
export async function removeApplications(deps: DeploymentDeps, input: RemovalInput, actor: Actor): Promise<string> {
  return await createDeployment(deps, await asDeployment(deps.db, input, actor), actor);
}

/** The plan of it, nothing stored. */
export async function previewRemoval(deps: DeploymentDeps, input: RemovalInput, actor: Actor): Promise<Preview> {
  return await previewDeployment(deps, await asDeployment(deps.db, input, actor), actor);
}

async function asDeployment(db: Database, input: RemovalInput, actor: Actor): Promise<DeploymentInput> {
  const { environmentId, strategy, manualApproval, start, note } = input;
  const applications = [...new Set(input.applications)].sort();
  const [place] = await db.sql<{ name: string; versionId: string | null }[]>`
    select e.name, (
      select s.version_id from app_state s join application a on a.id = s.application_id
      where s.environment_id = e.id and a.name = any(${applications}::text[]) and s.version_id is not null
      order by s.updated_at desc, a.name, s.target limit 1) as version_id
    from environment e where e.id = ${environmentId} and e.project_id = ${actor.projectId}`;
  if (!place) {
    throw new AppError(
      "not_found",
      "environment.not_found",
      `There is no environment ${environmentId} in this project.`,
    );
  }
  if (place.versionId === null) {
    throw new AppError(
      "conflict",
      "removal.not_running",
      `${applications.join(", ")} does not run in ${place.name}, so there is nothing to remove.`,
    );
  }
  return {
    ...{ versionId: place.versionId, environmentId, applications, removes: true, autoStart: start ?? false },
    ...(strategy && { strategy }),
    ...(manualApproval !== undefined && { manualApproval }),
    ...(note && { note }),
    origin: reason("deployment.removal_planned", { applications: applications.join(", "), environment: place.name }),
  };
}
