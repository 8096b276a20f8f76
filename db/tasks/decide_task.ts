import { AppError } from "../../domain/app_error.ts";
import type { FailureChoice } from "../../domain/strategy.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Tx } from "../database.ts";
import { answerQuestion, readFailed } from "../deployments/answer_question.ts";
import { isAsked } from "../deployments/ask_people.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";
import { lockDeployment } from "../deployments/lock_deployment.ts";
import { inTransaction } from "../retry.ts";

/** A person's answer about a task that failed while its deployment asks, or for all failed parts of a whole. */
export async function decideTask(
  deps: DeploymentDeps,
  id: string,
  choice: Exclude<FailureChoice, "rollback">,
  actor: Actor,
  note = "",
): Promise<void> {
  const [task] = await deps.db.sql<{ deploymentId: string; name: string; state: string; isExcluded: boolean }[]>`
    select deployment_id, name, state, state = 'skipped' and payload ->> 'leftOut' = 'excluded' as is_excluded
    from task where id = ${id} and project_id = ${actor.projectId}`;
  if (!task) throw new AppError("not_found", "task.not_found", `There is no task ${id} in this project.`);
  await inTransaction(deps.db, async (tx) => {
    const row = await lockDeployment(tx, task.deploymentId, actor.projectId);
    await recordAudit(deps.db, tx, actor, "task.decide", `task:${id}`, { choice, note });
    if (task.isExcluded && choice === "retry") return await askToCatchUp(tx, id);
    const tasks = isAsked(row) ? await readFailed(tx, row.id, id) : [];
    if (tasks.length === 0) {
      throw new AppError(
        "conflict",
        "task.not_asked",
        `Nobody is asked about ${task.name}: it is ${task.state} and its deployment is ${row.status}.`,
      );
    }
    await answerQuestion(deps.db, tx, row, { choice, tasks, actor, note });
  });
  deps.hints.announce("tasks");
  deps.hints.announce("events");
}

/** Of a machine that was excluded: once the deployment is over, it gets the release after all. */
async function askToCatchUp(tx: Tx, id: string): Promise<void> {
  await tx`update task set payload = payload || '{"catchUp": true}', updated_at = boreas_now() where id = ${id}`;
}
