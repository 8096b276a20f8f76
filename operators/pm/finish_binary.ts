/** A binary's deploy after the record: every step may have been done before a crash, and may be done again. */
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import type { AppFolder } from "./app_folder.ts";
import { writeRecord } from "./app_record.ts";
import type { AppRecord } from "./app_record.ts";
import { requireRouter } from "./docker/public_port.ts";
import { endSlot } from "./end_slot.ts";
import { asFailure } from "./failure.ts";
import type { KeptProcess } from "./machine.ts";
import { publish } from "./pm_parts.ts";
import type { PmParts } from "./pm_parts.ts";
import { undrainOutside, unreached } from "./route/outside.ts";
import { enableUnit, otherSlot } from "./slots.ts";
import type { TaskLog } from "./task_log.ts";

export async function finishBinary(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  record: AppRecord,
  context: RunContext,
  log: TaskLog,
  kept?: KeptProcess,
): Promise<OutcomeInput> {
  const { machine, supervisor } = pm;
  const current = record.current!;
  await supervisor.keep(folder, current, kept);
  await enableUnit(machine, folder, current.slot!);
  await leaveOld(pm, record, (text) => log.say(text));
  try {
    await endSlot(pm, folder, otherSlot(current.slot), { keep: true });
  } catch (error: unknown) {
    const failure = asFailure(error, pm.node.name);
    if (!failure) throw error;
    await log.say(`The old release: ${failure.message}`); // the new one serves; going back would make nothing better
  }
  const { spec, name, ports } = current;
  const trouble = await undrainOutside(pm, { folder, operation, spec, name, ports, record, context, log });
  await machine.files.remove(folder.tasks(""));
  await publish(machine, folder, record, current.spec.keepReleases);
  await writeRecord(machine, folder, { ...record, pending: null });
  const outcome = succeedBinary(pm, folder, operation, record, "runs and is healthy");
  return trouble ? unreached(outcome, trouble, operation, pm.node.name) : outcome;
}

/** Requests go to the new release already; the old one answers those it has. */
export async function leaveOld(
  pm: PmParts,
  { pending, current }: AppRecord,
  say: (text: string) => Promise<void>,
): Promise<void> {
  if (!pending?.from) return;
  const { from, to } = pending;
  const router = requireRouter(pm);
  const { route } = current!.spec;
  if (route.mode === "proxy" && !pending.stoppedOld) {
    const open = await router.drain(from.route, from.backend, route.drainSeconds);
    if (open > 0) await say(`${open} requests to the old release were still open after ${route.drainSeconds} s.`);
  }
  if (to?.route.listen !== from.route.listen || to.route.host !== from.route.host) await router.remove(from.route);
}

export function succeedBinary(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  record: AppRecord,
  how: string,
): OutcomeInput & { details: Record<string, unknown> } {
  const { name, ports, version } = record.current!;
  const pid = pm.supervisor.running(folder)?.pid ?? null;
  return {
    status: "success",
    message: `${operation.app} ${version} ${how} on ${pm.node.name}.`,
    details: { release: name, version, ports, pid, keptPrevious: false },
  };
}
