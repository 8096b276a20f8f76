/**
 * What a gate measured becomes a row, and with it the gate goes on, passes or fails; its deployment's move follows in
 * the same transaction.
 *
 *   claimed (fence n) --measured--> row + pending again | success | failed
 *            '--skipped, cancelled, paused, or claimed by another meanwhile--> nothing is written
 */
import { judgeGate } from "../../domain/judge_gate.ts";
import type { GateProgress, Judgement, Measured, MeasuredGate } from "../../domain/judge_gate.ts";
import { timingOf } from "../../domain/judge_gate.ts";
import { reason } from "../../domain/reason.ts";
import type { Database, Tx } from "../database.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments, settleTasks } from "../tasks/settle_tasks.ts";
import type { EndedTask } from "../tasks/settle_tasks.ts";
import { insertMeasurements } from "./insert_measurements.ts";

interface MeasuredTask extends EndedTask {
  gate: MeasuredGate;
  /** Of this try: a gate that a person tries again begins anew. */
  progress: GateProgress | null;
  stateSince: string;
  now: string;
}

/** @returns whether it counted */
export async function recordMeasurement(
  db: Database,
  claimed: { id: string; fence: number },
  measured: Measured,
): Promise<boolean> {
  return await inTransaction(db, async (tx) => {
    const deployments = await lockDeployments(tx, [claimed.id]);
    const [task] = await tx<MeasuredTask[]>`
      select id, project_id, deployment_id, parent_id, name, state, reason, payload -> 'gate' as gate, state_since,
        case when result ->> 'since' = state_since::text then result -> 'progress' end as progress, boreas_now() as now
      from task where id = ${claimed.id} and fence = ${claimed.fence} and state = 'pending' and open for update`;
    if (!task) return false;
    const judged = judgeGate(task.gate, task.progress ?? { passed: 0, missed: 0 }, measured, new Date(task.now));
    await insertMeasurements(tx, task.id, [measured]);
    await write(tx, task, measured, judged);
    if (judged.state === "pending") return true;
    await settleTasks(tx, [{ ...task, state: judged.state, reason: judged.reason }]);
    await moveDeployments(db, tx, deployments);
    return true;
  });
}

async function write(tx: Tx, task: MeasuredTask, measured: Measured, { state, progress, reason: said }: Judgement) {
  const ended = state !== "pending";
  const outcome = state === "failed" ? { status: "failed", code: `gate.${measured.verdict}`, message: said.text } : {};
  await tx`
    update task set state = ${state}, reason = ${tx.json(said as never)}, updated_at = boreas_now(),
      state_since = case when ${ended} then boreas_now() else state_since end,
      completed_at = case when ${ended} then boreas_now() end,
      run_after = boreas_now() + make_interval(secs => ${timingOf(task.gate).everySeconds}),
      result = ${tx.json({ ...outcome, value: measured.value, verdict: measured.verdict, progress } as never)}::jsonb
        || jsonb_build_object('since', state_since::text)
    where id = ${task.id}`;
  const what = reason("task.measured", { verdict: measured.verdict, note: measured.note });
  await recordEvents(tx, [{
    topic: "task",
    projectId: task.projectId,
    subjectId: task.id,
    deploymentId: task.deploymentId,
    kind: "task.measured",
    data: { name: task.name, reason: what },
  }]);
}
