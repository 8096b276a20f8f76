import { canMoveDeployment, isActive, isEnded } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { Reason } from "../../domain/reason.ts";
import { reason as taskReason } from "../../domain/reason.ts";
import { AppError } from "../../domain/app_error.ts";
import type { Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { skipWaitingTasks } from "../tasks/stop_tasks.ts";

export interface DeploymentRow {
  id: string;
  projectId: string;
  status: DeploymentState;
}

/**
 * The one place that writes a deployment's status: checks the move, sets its times, lets go of its locks when it ends,
 * and notes the event. The caller holds the row.
 */
export async function changeDeployment(
  tx: Tx,
  row: DeploymentRow,
  status: DeploymentState,
  reason: Reason,
  also: { errorMessage?: string; causeTaskId?: string } = {},
): Promise<void> {
  if (row.status !== status && !canMoveDeployment(row.status, status)) {
    throw new AppError(
      "conflict",
      "deployment.wrong_state",
      `A deployment that is ${row.status} cannot become ${status}.`,
    );
  }
  const changed = tx`update deployment set status = ${status}, reason = ${
    tx.json(reason as never)
  }, updated_at = boreas_now(),
      started_at = case when ${isActive(status)} then coalesce(started_at, boreas_now()) else started_at end,
      completed_at = case when ${isEnded(status)} then boreas_now() end,
      approvals_since = case when ${
    status === "awaiting_approval"
  } and status <> 'awaiting_approval' then boreas_now() else approvals_since end,
      ask_until = case when ${status === "paused"} then ask_until end,
      rollback_until = case when ${
    status === "rolling_back"
  } then boreas_now() + make_interval(secs => rollback_seconds) end,
      error_message = coalesce(${also.errorMessage ?? null}, error_message),
      cause_task_id = coalesce(${also.causeTaskId ?? null}::uuid, cause_task_id)
    where id = ${row.id}`.execute(); // now, and not when it is waited for: what follows may look at it
  // Sent together: none needs the answer of another.
  const ended = !isEnded(status) ? [] : [
    // Only one that ends before it began has any: superseded, rejected, refused.
    skipWaitingTasks(tx, row.id, taskReason("task.skipped_stopped", { detail: reason.text })),
    tx`update task set open = false where deployment_id = ${row.id} and open and completed_at is null`,
    tx`delete from deployment_lock where deployment_id = ${row.id}`,
  ];
  const noted = recordEvents(tx, [{
    topic: "deployment",
    projectId: row.projectId,
    subjectId: row.id,
    deploymentId: row.id,
    kind: `deployment.${status}`,
    data: { name: status, reason },
  }]);
  await Promise.all([changed, ...ended, noted]);
}
