/** A deploy or a switch after the record: every step may have been done before a crash, and may be done again. */
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import type { AppFolder } from "./app_folder.ts";
import { writeRecord } from "./app_record.ts";
import type { AppRecord } from "./app_record.ts";
import { findOwn, requireEngine } from "./docker/container_slots.ts";
import { requireRouter } from "./docker/public_port.ts";
import { imagesOf, pruneImages } from "./docker/prune_images.ts";
import { endSlot, keepBehind, keepServing } from "./end_slot.ts";
import { asFailure } from "./failure.ts";
import { publish } from "./pm_parts.ts";
import type { PmParts } from "./pm_parts.ts";
import { undrainOutside, unreached } from "./route/outside.ts";
import { otherSlot } from "./slots.ts";
import type { TaskLog } from "./task_log.ts";

export async function finishDeploy(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  record: AppRecord,
  context: RunContext,
  log: TaskLog,
): Promise<OutcomeInput> {
  const { machine } = pm;
  const current = record.current!;
  const held = record.beside?.role === "held" ? record.beside.release : undefined;
  await keepServing(pm, folder, current);
  if (held) {
    await keepBehind(pm, folder, held);
    await log.say(`${held.version} goes on running behind it.`);
  } else {
    await leaveOld(pm, record, (text) => log.say(text));
    try {
      await endSlot(pm, folder, otherSlot(current.slot), { keep: true });
    } catch (error: unknown) {
      const failure = asFailure(error, pm.node.name);
      if (!failure) throw error;
      await log.say(`The old release: ${failure.message}`); // the new one serves; going back would make nothing better
    }
  }
  const { spec, name, ports } = current;
  const trouble = await undrainOutside(pm, { folder, operation, spec, name, ports, record, context, log });
  await machine.files.remove(folder.tasks(""));
  const images = await imagesOf(machine, folder);
  await publish(machine, folder, record, spec.keepReleases);
  if (images.size > 0) await pruneImages(pm, folder, images, log);
  await writeRecord(machine, folder, { ...record, pending: null });
  const outcome = await succeed(pm, folder, operation, record, "runs and is healthy");
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

export async function succeed(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  { current, beside }: AppRecord,
  how: string,
): Promise<OutcomeInput> {
  const { name, ports, version, slot, spec } = current!;
  const facts = spec.runtime.mode === "docker" ? await findOwn(requireEngine(pm), folder, slot!) : undefined;
  return {
    status: "success",
    message: `${operation.app} ${version} ${how} on ${pm.node.name}.`,
    details: {
      ...{ release: name, version, ports, keptPrevious: false },
      pid: (facts ? facts.State.Pid : pm.supervisor.running(folder)?.pid) || null,
      ...(spec.runtime.mode === "docker" ? { container: facts?.Name.replace(/^\//, "") ?? null } : {}),
      ...(beside ? { beside: { role: beside.role, version: beside.release.version } } : {}),
    },
  };
}
