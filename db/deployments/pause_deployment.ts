import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { isAsked } from "./ask_people.ts";
import { changeDeployment } from "./change_deployment.ts";
import type { DeploymentDeps } from "./load_plan.ts";
import { lockDeployment } from "./lock_deployment.ts";
import { moveDeployments } from "./move_deployments.ts";

/** Closes the tasks: what runs goes on, nothing new is claimed. */
export const pauseDeployment = (deps: DeploymentDeps, id: string, actor: Actor, note = "") =>
  turn(deps, id, actor, note, "paused");
export const resumeDeployment = (deps: DeploymentDeps, id: string, actor: Actor, note = "") =>
  turn(deps, id, actor, note, "running");

async function turn(
  deps: DeploymentDeps,
  id: string,
  actor: Actor,
  note: string,
  to: "paused" | "running",
): Promise<void> {
  const [from, verb, code] = to === "paused"
    ? ["running", "pause", "deployment.paused"] as const
    : ["paused", "resume", "deployment.resumed"] as const;
  await inTransaction(deps.db, async (tx) => {
    const row = await lockDeployment(tx, id, actor.projectId);
    if (row.status !== from) {
      throw new AppError(
        "conflict",
        "deployment.wrong_state",
        `Only a ${from} deployment can be ${verb}d; this one is ${row.status}.`,
      );
    }
    if (isAsked(row)) {
      throw new AppError(
        "conflict",
        "deployment.asks",
        `${row.reason.text} Answer with POST /tasks/:id/decide of the task that failed; it goes on by itself then.`,
      );
    }
    // Not the hooks of a failure: what goes back, or ends, waits for them.
    await tx`update task set open = ${
      to === "running"
    } where deployment_id = ${id} and not is_rollback and completed_at is null`;
    await changeDeployment(tx, row, to, reason(code, { actor: actor.name }));
    await recordAudit(deps.db, tx, actor, `deployment.${verb}`, `deployment:${id}`, { note });
    await moveDeployments(deps.db, tx, [id]);
  });
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}
