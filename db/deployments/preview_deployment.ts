import type { Preview } from "../../protocol/http_api.ts";
import type { Actor } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { checkPlan } from "./check_policy.ts";
import { planRequestOf } from "./create_deployment.ts";
import type { DeploymentInput } from "./create_deployment.ts";
import { describePlan } from "./describe_plan.ts";
import { loadPlan } from "./load_plan.ts";
import type { DeploymentDeps, PlanRequest } from "./load_plan.ts";
import { checkSpecs } from "./render_plan.ts";

/** The plan that `createDeployment` would write, and nothing is written. */
export async function previewDeployment(deps: DeploymentDeps, input: DeploymentInput, actor: Actor): Promise<Preview> {
  return await preview(deps, planRequestOf(input, actor));
}

/** The same for what a commit would become. */
export async function previewCandidate(
  deps: DeploymentDeps,
  input: Pick<PlanRequest, "projectId" | "environmentId"> & { candidate: NonNullable<PlanRequest["candidate"]> },
): Promise<Preview> {
  return await preview(deps, {
    ...input,
    versionId: input.candidate.version.id,
    applications: null,
    mustInOrder: null,
    strategy: null,
  });
}

async function preview(deps: DeploymentDeps, request: PlanRequest): Promise<Preview> {
  return await inTransaction(deps.db, async (tx) => {
    const plan = await loadPlan(deps, tx, request);
    checkPlan(plan);
    checkSpecs(plan);
    return await describePlan(tx, plan);
  });
}
