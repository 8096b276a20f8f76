import type { Measured } from "../../domain/judge_gate.ts";
import type { Tx } from "../database.ts";

/** Of a task; older ones go. */
export const MOST_MEASUREMENTS = 1000;

/** Adds rows behind those that are there. The caller holds the task. @param at of each, when it was not just now */
export async function insertMeasurements(
  tx: Tx,
  taskId: string,
  measured: readonly (Measured & { at?: string })[],
): Promise<void> {
  await tx`
    insert into measurement (task_id, number, at, value, verdict, note)
    select ${taskId}, coalesce((select max(number) from measurement where task_id = ${taskId}), 0) + r.ordinality,
      coalesce(r.at, boreas_now()), r.value, r.verdict, left(r.note, 500)
    from rows from (jsonb_to_recordset(${
    tx.json(measured as never)
  }) as (at timestamptz, value float8, verdict text, note text)) with ordinality as r(at, value, verdict, note, ordinality)`;
  await tx`delete from measurement where task_id = ${taskId}
    and number <= (select max(number) from measurement where task_id = ${taskId}) - ${MOST_MEASUREMENTS}`;
}
