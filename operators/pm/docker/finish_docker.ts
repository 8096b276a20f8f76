/** After the record: every step may have been done before a crash, and may be done again. */
import type { Operation, OutcomeInput } from "../../../protocol/operation.ts";
import type { RunContext } from "../../operator.ts";
import type { AppFolder } from "../app_folder.ts";
import { writeRecord } from "../app_record.ts";
import type { AppRecord } from "../app_record.ts";
import { endSlot, keepRunning } from "../end_slot.ts";
import { asFailure } from "../failure.ts";
import { publish } from "../pm_parts.ts";
import type { PmParts } from "../pm_parts.ts";
import { undrainOutside, unreached } from "../route/outside.ts";
import { otherSlot } from "../slots.ts";
import type { TaskLog } from "../task_log.ts";
import { findOwn, requireEngine } from "./container_slots.ts";
import { requireRouter } from "./public_port.ts";
import { imagesOf, pruneImages } from "./prune_images.ts";

export async function finishDocker(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  record: AppRecord,
  context: RunContext,
  log: TaskLog,
): Promise<OutcomeInput> {
  const { pending, current } = record as AppRecord & { current: NonNullable<AppRecord["current"]> };
  const { route, keepReleases } = current.spec;
  await keepRunning(pm, folder, current);
  if (pending?.from && !pending.stoppedOld) {
    const router = requireRouter(pm);
    const { from } = pending;
    if (route.mode === "proxy") {
      const open = await router.drain(from.route, from.backend, route.drainSeconds);
      if (open > 0) await log.say(`${open} requests to the old release were still open after ${route.drainSeconds} s.`);
    }
    const { to } = pending;
    if (to?.route.listen !== from.route.listen || to.route.host !== from.route.host) await router.remove(from.route);
  }
  try {
    await endSlot(pm, folder, otherSlot(current.slot), { keep: true });
  } catch (error: unknown) {
    const failure = asFailure(error, pm.node.name);
    if (!failure) throw error;
    await log.say(`The old release: ${failure.message}`); // the new one serves; going back would make nothing better
  }
  const { spec, name, ports } = current;
  const trouble = await undrainOutside(pm, { folder, operation, spec, name, ports, record, context, log });
  await pm.machine.files.remove(folder.tasks(""));
  const before = await imagesOf(pm.machine, folder);
  await publish(pm.machine, folder, record, keepReleases);
  await pruneImages(pm, folder, before, log);
  await writeRecord(pm.machine, folder, { ...record, pending: null });
  const outcome = await succeedDocker(pm, folder, operation, record, "runs and is healthy");
  return trouble ? unreached(outcome, trouble, operation, pm.node.name) : outcome;
}

export async function succeedDocker(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  record: AppRecord,
  how: string,
): Promise<OutcomeInput> {
  const { name, ports, version, slot } = record.current!;
  const facts = await findOwn(requireEngine(pm), folder, slot!);
  return {
    status: "success",
    message: `${operation.app} ${version} ${how} on ${pm.node.name}.`,
    details: {
      release: name,
      version,
      ports,
      pid: facts?.State.Pid || null,
      container: facts?.Name.replace(/^\//, "") ?? null,
      keptPrevious: false,
    },
  };
}
