/** The two places where a program of ours can run: one serves while the other is tried. */
import type { Clock } from "../../domain/ports.ts";
import type { AppFolder, Slot } from "./app_folder.ts";
import { readStart } from "./app_record.ts";
import type { SlotStart } from "./app_record.ts";
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

/**
 * The program that an agent before this one had started; undefined when there is none to go on with. What we were ending
 * ourselves, and what ended with the machine or its keeper, says nothing about a program: it is to be started anew.
 */
export async function adoptSlot(machine: Machine, folder: AppFolder, slot: Slot): Promise<KeptProcess | undefined> {
  if (await machine.files.isFile(folder.stopping(slot))) return undefined;
  const kept = await machine.adoptProcess(folder.run(slot));
  return kept?.hasEnded() && (await kept.ended).code === null ? undefined : kept;
}

/** Starts what `start.json` of the slot says; the output of the run before it stays readable in `last/`. */
export async function startSlot(machine: Machine, folder: AppFolder, slot: Slot): Promise<KeptProcess> {
  const start = await readStart(machine, folder, slot);
  if (!start) throw new Error(`${folder.start(slot)} is missing`);
  // Whoever adopts after a crash must find this start or none: never the run before it.
  if ((await machine.files.list(folder.run(slot))).length > 0) {
    const last = `${folder.slot(slot)}/last`;
    await machine.files.remove(last);
    await machine.files.rename(folder.run(slot), last);
  }
  await machine.files.remove(folder.stopping(slot));
  const { command, cwd, env, user, unit } = start;
  if (unit) return requireUnits(machine).start({ ...unit, command, env, user, keepBytes: KEEP_OUTPUT_BYTES });
  return machine.startProcess({ folder: folder.run(slot), command, cwd, env, user, keepBytes: KEEP_OUTPUT_BYTES });
}

/** What runs in a unit comes back at boot. */
export async function enableUnit(machine: Machine, folder: AppFolder, slot: Slot): Promise<void> {
  const unit = (await readStart(machine, folder, slot))?.unit;
  if (unit) await requireUnits(machine).enable(unit.name);
}

/**
 * Ends whatever runs in a slot, strays included; nothing happens when nothing does. That it was us is on disk before the
 * first signal, and stays there until the next start; a full disk keeps nothing alive.
 */
export async function stopSlot(
  machine: Machine,
  clock: Clock,
  folder: AppFolder,
  slot: Slot,
  graceSeconds?: number,
): Promise<void> {
  const start = await readStart(machine, folder, slot);
  if (!start) return;
  try {
    await machine.files.writeText(folder.stopping(slot), "", 0o644);
  } finally {
    await endRun(machine, clock, folder, slot, start, graceSeconds ?? start.stop.graceSeconds);
  }
}

async function endRun(
  machine: Machine,
  clock: Clock,
  folder: AppFolder,
  slot: Slot,
  start: SlotStart,
  grace: number,
): Promise<void> {
  if (start.unit) await requireUnits(machine).remove(start.unit.name, start.unit.folder, grace);
  const { BOREAS_TASK_ID, BOREAS_FENCE } = start.env;
  const tags = [`BOREAS_TASK_ID=${BOREAS_TASK_ID}`, `BOREAS_FENCE=${BOREAS_FENCE}`];
  await stopProcess(machine, clock, await machine.adoptProcess(folder.run(slot)), tags, {
    signal: start.stop.signal,
    graceSeconds: grace,
  });
}
