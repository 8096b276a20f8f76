import type { Measured } from "../../domain/judge_gate.ts";
import { ScriptMeasurement } from "../../protocol/operation.ts";
import type { Outcome } from "../../protocol/operation.ts";
import type { Tx } from "../database.ts";
import { insertMeasurements, MOST_MEASUREMENTS } from "./insert_measurements.ts";

/** What scripts of gates measured, as their agents tell it at the end. Costs nothing where no gate ended. */
export async function keepMeasurements(
  tx: Tx,
  ended: readonly { id: string }[],
  outcomeOf: (taskId: string) => Outcome | undefined,
): Promise<void> {
  for (const { id } of ended) {
    const told = outcomeOf(id)?.details.measurements;
    if (!Array.isArray(told)) continue;
    const measured = told.slice(-MOST_MEASUREMENTS).flatMap((one): (Measured & { at: string })[] => {
      const { success, data } = ScriptMeasurement.safeParse(one);
      if (!success) return [];
      const { at, ok, value, note } = data;
      return [{ at, value: value ?? null, verdict: ok ? "pass" : "fail", note }];
    });
    if (measured.length > 0) await insertMeasurements(tx, id, measured);
  }
}
