import { AppError } from "../../domain/app_error.ts";
import { renderSpec } from "../../protocol/render_spec.ts";
import type { LoadedPlan, PlannedApplication } from "./load_plan.ts";

/** Says now what would fail at the start; artifacts that are still being built are taken on trust. */
export function checkSpecs(plan: LoadedPlan): void {
  checkGates(plan);
  if (plan.version.builds === "waiting" || plan.removes) return;
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

/** A gate that nobody could measure would stop the release in its middle. */
function checkGates({ tasks, environment }: LoadedPlan): void {
  const homeless = tasks.find(({ work }) =>
    work.kind === "gate" && "prometheus" in work.gate && !work.gate.server && !environment.config.prometheus
  );
  if (!homeless) return;
  throw new AppError(
    "invalid",
    "gate.no_server",
    `A prometheus gate of ${homeless.application} names no server, and ${environment.name} has none either; write ` +
      "`server` at the gate, or config.prometheus.server of the environment.",
  );
}
