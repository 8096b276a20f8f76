/**
 * Takes back what a deploy began that did not reach its record: the old release serves, the new one ends. Every step may
 * have been done before a crash, and may be done again.
 */
import type { AppFolder } from "./app_folder.ts";
import { writeRecord } from "./app_record.ts";
import type { AppRecord } from "./app_record.ts";
import { requireRouter } from "./docker/public_port.ts";
import { endSlot, keepRunning } from "./end_slot.ts";
import type { PmParts } from "./pm_parts.ts";

export async function undoPending(
  pm: PmParts,
  folder: AppFolder,
  record: AppRecord,
  graceSeconds?: number,
): Promise<void> {
  const { pending, current } = record;
  if (!pending) return;
  const { from, to } = pending;
  if (from && !pending.stoppedOld) await requireRouter(pm).switchTo(from.route, from.backend);
  if (to && !(from && isSame(from.route, to.route))) await requireRouter(pm).remove(to.route);
  await endSlot(pm, folder, pending.slot, { graceSeconds });
  if (pending.stoppedOld && current) {
    await keepRunning(pm, folder, current);
    if (from) await requireRouter(pm).switchTo(from.route, from.backend);
  }
  record.pending = null;
  await writeRecord(pm.machine, folder, record);
}

const isSame = (a: { listen: number; host: string | null }, b: { listen: number; host: string | null }) =>
  a.listen === b.listen && a.host === b.host;
