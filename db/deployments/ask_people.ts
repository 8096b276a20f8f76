/**
 * A failure of a deployment that asks first:
 *
 *   running --a task fails--> paused, asked --an answer--> running (or asked again, about what else has failed)
 *                                   |                  '-> failed | rolling back
 *                                   '--ask_until has passed--> the default answer
 *
 * What runs goes on meanwhile, and nothing new starts. The question stands in the deployment's row, so a crash forgets
 * none; `answer_questions.ts` finds those whose time has passed.
 */
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { Tx } from "../database.ts";
import { changeDeployment } from "./change_deployment.ts";
import type { DeploymentRow } from "./change_deployment.ts";

export interface Cause {
  causeTaskId: string | undefined;
  params: { task: string; detail: string };
}

export const isAsked = (row: Pick<DeploymentRow, "status"> & { reason: Reason }): boolean =>
  row.status === "paused" && row.reason.code.startsWith("deployment.paused_on_failure");

/** Asked already, it stays the same question with the same end: one more failure is one more task to decide about. */
export async function askPeople(
  tx: Tx,
  row: DeploymentRow & { reason: Reason },
  { causeTaskId, params }: Cause,
): Promise<void> {
  if (isAsked(row)) return;
  await tx`update task set open = false where deployment_id = ${row.id} and not is_rollback and open and completed_at is null`;
  const [asked] = await tx<{ answer: string | null; until: string | null }[]>`
    update deployment set ask_until = boreas_now() + make_interval(secs => ask_seconds) where id = ${row.id}
    returning ask_default as answer, to_char(ask_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as until`;
  const { answer, until } = asked!;
  const said = until === null
    ? reason("deployment.paused_on_failure", params)
    : reason("deployment.paused_on_failure_until", { ...params, answer: answer ?? "fail", until });
  await changeDeployment(tx, row, "paused", said, { causeTaskId });
}
