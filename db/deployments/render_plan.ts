import { renderSpec } from "../../protocol/render_spec.ts";
import type { LoadedPlan, PlannedApplication } from "./load_plan.ts";

/** Says now what would fail at the start; artifacts that are still being built are taken on trust. */
export function checkSpecs(plan: LoadedPlan): void {
  if (plan.version.builds === "waiting") return;
  for (const app of plan.deployed) specOf(plan, app);
}

export const specOf = (plan: LoadedPlan, app: PlannedApplication) =>
  renderSpec({
    application: app.name,
    config: app.config,
    environmentType: plan.environment.type,
    version: plan.version.version,
    commit: plan.version.gitCommit,
    artifacts: app.artifacts,
    bundle: app.bundle,
    build: plan.version.appBuilds[app.name] ?? {},
  });
