/** The two places where a program of ours can run: one serves while the other is tried. */
import type { Clock } from "../../domain/ports.ts";
import type { AppFolder, Slot } from "./app_folder.ts";
import { readStart } from "./app_record.ts";
import { PmFailure } from "./failure.ts";
import type { KeptProcess, Machine, Units } from "./machine.ts";
import { stopProcess } from "./stop_process.ts";

export const KEEP_OUTPUT_BYTES = 64 * 1024 * 1024;

export function requireUnits({ units }: Pick<Machine, "units">): Units {
  if (units) return units;
  throw new PmFailure(
    "systemd.away",
    "This application runs in a unit of systemd, which the agent does not reach now; run the agent as root.",
  );
}

export const otherSlot = (slot: Slot | null | undefined): Slot => slot === "a" ? "b" : "a";

/** Starts what `start.json` of the slot says; the output of the run before it stays readable in `last/`. */
export async function startSlot(machine: Machine, folder: AppFolder, slot: Slot): Promise<KeptProcess> {
  const start = await readStart(machine, folder, slot);
  if (!start) throw new Error(`${folder.start(slot)} is missing`);
  if (start.unit) {
    const { command, env, user, unit } = start;
    return requireUnits(machine).start({ ...unit, command, env, user, keepBytes: KEEP_OUTPUT_BYTES });
  }
  const last = `${folder.slot(slot)}/last`;
  await machine.files.remove(last);
  if ((await machine.files.list(folder.run(slot))).length > 0) await machine.files.rename(folder.run(slot), last);
  const { command, cwd, env, user } = start;
  return machine.startProcess({ folder: folder.run(slot), command, cwd, env, user, keepBytes: KEEP_OUTPUT_BYTES });
}

/** Ends whatever runs in a slot, strays included; nothing happens when nothing does. */
export async function stopSlot(
  machine: Machine,
  clock: Clock,
  folder: AppFolder,
  slot: Slot,
  graceSeconds?: number,
): Promise<void> {
  const start = await readStart(machine, folder, slot);
  if (!start) return;
  const grace = graceSeconds ?? start.stop.graceSeconds;
  if (start.unit) await requireUnits(machine).remove(start.unit.name, start.unit.folder, grace);
  const { BOREAS_TASK_ID, BOREAS_FENCE } = start.env;
  const tags = [`BOREAS_TASK_ID=${BOREAS_TASK_ID}`, `BOREAS_FENCE=${BOREAS_FENCE}`];
  await stopProcess(machine, clock, await machine.adoptProcess(folder.run(slot)), tags, {
    signal: start.stop.signal,
    graceSeconds: grace,
  });
}
