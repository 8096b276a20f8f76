/** A slot holds a program or a container, and after a change of runtime the one of the other kind than before. */
import type { AppFolder, Slot } from "./app_folder.ts";
import type { RunningRelease } from "./app_record.ts";
import { restartBody } from "./docker/container_plan.ts";
import { endContainer, runContainer } from "./docker/container_slots.ts";
import type { PmParts } from "./pm_parts.ts";
import { adoptSlot, enableUnit, startSlot, stopSlot } from "./slots.ts";

/** Ends whatever runs in a slot; nothing happens when nothing does. `keep` leaves a container there, stopped. */
export async function endSlot(
  pm: PmParts,
  folder: AppFolder,
  slot: Slot,
  { graceSeconds, keep = false }: { graceSeconds?: number | undefined; keep?: boolean } = {},
): Promise<void> {
  await endContainer(pm, folder, slot, { graceSeconds, remove: !keep });
  await stopSlot(pm.machine, pm.clock, folder, slot, graceSeconds);
}

/** From now on this release runs, also if it has to be started first: we stopped it, whatever its restart policy says. */
export async function keepRunning(pm: PmParts, folder: AppFolder, release: RunningRelease): Promise<void> {
  const { slot, spec: { runtime } } = release;
  if (runtime.mode === "docker") {
    await pm.supervisor.release(folder); // it may have been a binary before; of containers the engine takes care
    return runContainer(pm, folder, slot!, restartBody(runtime));
  }
  if (slot === null) return;
  let kept = await adoptSlot(pm.machine, folder, slot);
  if (!kept || kept.hasEnded()) {
    await stopSlot(pm.machine, pm.clock, folder, slot); // it may be ending still
    kept = await startSlot(pm.machine, folder, slot);
  }
  await enableUnit(pm.machine, folder, slot);
  await pm.supervisor.keep(folder, release, kept);
}

/** The release that requests go to is watched over from now on. One that ended meanwhile is its restart policy's business. */
export async function keepServing(pm: PmParts, folder: AppFolder, release: RunningRelease): Promise<void> {
  if (release.spec.runtime.mode === "docker") return await keepRunning(pm, folder, release);
  await pm.supervisor.keep(folder, release);
  await enableUnit(pm.machine, folder, release.slot!);
}

/** A release that is held runs on behind the one that serves. Of containers the engine takes care. */
export async function keepBehind(pm: PmParts, folder: AppFolder, release: RunningRelease): Promise<void> {
  if (release.spec.runtime.mode !== "docker") await pm.behind.keep(folder, release);
}
