/** Takes an application off the machine. Its record stays, so that an older deploy cannot bring it back. */
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import type { AppFolder } from "./app_folder.ts";
import { emptyRecord, readRecord, writeRecord } from "./app_record.ts";
import type { PolicyPlace } from "./local_policy.ts";
import { refuseOlder } from "./pm_parts.ts";
import type { PmParts } from "./pm_parts.ts";
import { requireRouter, routedBy } from "./docker/public_port.ts";
import { imagesOf, pruneImages } from "./docker/prune_images.ts";
import { endSlot } from "./end_slot.ts";
import { endOtherAttempts, endStopped, runRemoval } from "./run_scripts.ts";
import { TaskLog } from "./task_log.ts";

export async function removeApp(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  context: RunContext,
  place: PolicyPlace,
): Promise<OutcomeInput> {
  const { machine, supervisor, node } = pm;
  await endStopped(pm, folder, context);
  const record = await readRecord(machine, folder) ?? emptyRecord(operation);
  refuseOlder(operation, record);
  await context.trusted();
  await endOtherAttempts(pm, folder, context);
  const isStopped = record.current ? await runRemoval(pm, folder, operation, record.current, context, place) : false;
  const isLeftRunning = record.current?.spec.runtime.mode === "script" && !isStopped;
  const current = record.current && routedBy(record, record.current.spec.route, record.current.ports);
  const held = record.beside?.release;
  const behind = held && routedBy(record, held.spec.route, held.ports);
  // A deploy that was interrupted may have had a port already.
  for (const routed of [current, behind, record.pending?.from, record.pending?.to]) {
    if (routed) await requireRouter(pm).remove(routed.route);
  }
  await supervisor.release(folder);
  await pm.behind.release(folder);
  const { ports } = emptyRecord(operation);
  // What is gone must not be brought back by a restart of the agent in the middle of this.
  const was = record.current?.version;
  await writeRecord(machine, folder, {
    ...record,
    generation: operation.generation,
    current: null,
    pending: null,
    beside: null,
    ports,
  });
  const images = await imagesOf(machine, folder);
  for (const slot of ["a", "b"] as const) await endSlot(pm, folder, slot);
  for (const name of await machine.files.list(folder.path)) {
    const path = `${folder.path}/${name}`; // hooks are nobody's but their tasks'
    if (path !== folder.record && path !== folder.hooks) await machine.files.remove(path);
  }
  if (images.size > 0) await pruneImages(pm, folder, images, undefined);
  const message = was && isLeftRunning
    ? `${operation.app} ${was} is forgotten on ${node.name} and its files are removed; what its scripts started runs on, because it has no \`remove\` script.`
    : was
    ? `${operation.app} ${was} is stopped and removed from ${node.name}.`
    : `${operation.app} did not run on ${node.name}; nothing to remove.`;
  await new TaskLog(context).say(message);
  return { status: "success", message, details: { release: null, version: null, ports: {}, pid: null } };
}
