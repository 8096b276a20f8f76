/** Waits until systemd has made up its mind about a program of ours that ended. */
import type { Clock } from "../../../domain/ports.ts";
import { wait } from "../../stopped.ts";
import type { KeptProcess, Machine, UnitPlan } from "../machine.ts";

const LOOK_MS = 250;

/** The program that runs now; `failed` after too many starts; `inactive` when nobody starts it; undefined when the unit is gone. */
export async function followUnit(
  machine: Machine,
  clock: Clock,
  unit: UnitPlan,
  run: string,
  stop: AbortSignal,
): Promise<KeptProcess | "failed" | "inactive" | undefined> {
  while (!stop.aborted) {
    const state = await machine.units?.look(unit.name);
    if (state === undefined) return undefined;
    if (state.active === "failed" || state.active === "inactive") return state.active;
    if (state.active === "active") {
      const kept = await machine.adoptProcess(run);
      if (kept && !kept.hasEnded()) return kept;
      kept?.forget();
    }
    await wait(clock, LOOK_MS, stop);
  }
  return undefined;
}
