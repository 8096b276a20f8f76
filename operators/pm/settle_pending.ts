/** Clears what an attempt left that nobody takes up again: the recorded release serves, and what it began ends. */
import type { AppFolder } from "./app_folder.ts";
import { isCommitted, readRecord } from "./app_record.ts";
import { keepBehind, keepServing } from "./end_slot.ts";
import { leaveOld } from "./finish_deploy.ts";
import { publish } from "./pm_parts.ts";
import type { PmParts } from "./pm_parts.ts";
import { otherSlot } from "./slots.ts";
import { undoPending } from "./undo_pending.ts";

export async function settlePending(pm: PmParts, folder: AppFolder): Promise<void> {
  const { machine, logger } = pm;
  const record = await readRecord(machine, folder);
  if (!record?.pending) return;
  const { app, environment, pending, current } = record;
  if (!isCommitted(record)) await undoPending(pm, folder, record);
  else {
    await keepServing(pm, folder, current!);
    const held = record.beside?.role === "held" ? record.beside.release : undefined;
    if (held) await keepBehind(pm, folder, held);
    else await leaveOld(pm, record, async (text) => logger.log("WARN", text, { app }));
    await publish(machine, folder, record, current!.spec.keepReleases);
    // Only the old release is left to end, unless it is held, and requests from outside to be let in again.
    const left = { ...pending, slot: otherSlot(pending.slot), stoppedOld: false, from: undefined, to: undefined };
    await undoPending(pm, folder, { ...record, pending: held ? { ...left, isSwitch: true } : left });
  }
  logger.log("WARN", "cleared what an interrupted deploy had left", { app, environment });
}
