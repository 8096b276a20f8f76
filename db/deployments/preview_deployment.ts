import type { Preview } from "../../protocol/http_api.ts";
import type { Actor } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { checkPolicy } from "./check_policy.ts";
import { planRequestOf } from "./create_deployment.ts";
import type { DeploymentInput } from "./create_deployment.ts";
import { loadPlan } from "./load_plan.ts";
import type { DeploymentDeps } from "./load_plan.ts";
import { checkSpecs } from "./render_plan.ts";

/** The plan that `createDeployment` would write, and nothing is written. */
export async function previewDeployment(deps: DeploymentDeps, input: DeploymentInput, actor: Actor): Promise<Preview> {
  return await inTransaction(deps.db, async (tx) => {
    const plan = await loadPlan(deps, tx, planRequestOf(input, actor));
    checkPolicy(plan.version, plan.environment);
    checkSpecs(plan);
    const running = await tx<{ applicationId: string; target: string; versionId: string | null }[]>`
      select application_id, target, version_id from app_state where environment_id = ${plan.environment.id}`;
    const ids = new Map(plan.deployed.map((a) => [a.name, a.id]));
    const actionOf = (application: string, target: string | null) => {
      const state = running.find((s) => s.applicationId === ids.get(application) && s.target === (target ?? "-"));
      return !state
        ? "create" as const
        : state.versionId === plan.version.id
        ? "unchanged" as const
        : "update" as const;
    };
    const unchanged = plan.applications.filter((a) => !plan.deployed.includes(a));
    return {
      applications: plan.deployed.map((a) => a.name),
      tasks: plan.tasks.map((t) => ({
        key: t.key,
        parentKey: t.parentKey,
        name: t.name,
        application: t.application,
        type: t.type,
        dependsOn: t.dependsOn,
        target: t.target?.name ?? null,
        ...(t.isLeaf ? { action: actionOf(t.application, t.target?.name ?? null) } : {}),
      })),
      warnings: [
        ...(plan.version.builds === "waiting" ? [plan.version.buildsReason.text] : []),
        ...plan.tasks.filter((t) => t.isLeftOut).map((t) =>
          `${t.name} is cordoned, so ${t.application} is left out there until it is uncordoned.`
        ),
        ...unchanged.map((a) =>
          `${a.name} is left out: ${a.bound ? "it did not change" : `it is not bound to ${plan.environment.name}`}.`
        ),
      ],
    };
  });
}
