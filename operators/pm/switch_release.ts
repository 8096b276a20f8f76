/**
 * Requests go to the release that runs beside:
 *
 *   it runs and answers well? -> pending -> requests go to it -> record -> the old one is held, or answers what it has and stops
 *
 * As in a deploy the record is the line. Before it, whatever goes wrong sends requests back to the old release, and the one
 * beside goes on waiting there; after it the same attempt, or the clearing of what was interrupted, does the rest.
 */
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import { graceOf } from "../stopped.ts";
import type { AppFolder } from "./app_folder.ts";
import { emptyRecord, isCommitted, readRecord, writeRecord } from "./app_record.ts";
import type { AppRecord } from "./app_record.ts";
import { clearBeside, judgeBeside } from "./beside.ts";
import { requireRouter, routedBy } from "./docker/public_port.ts";
import { PmFailure, ToldFailure } from "./failure.ts";
import { finishDeploy, succeed } from "./finish_deploy.ts";
import { refuseOlder } from "./pm_parts.ts";
import type { PmParts } from "./pm_parts.ts";
import { remember } from "./prune_releases.ts";
import { drainOutside } from "./route/outside.ts";
import { TaskLog } from "./task_log.ts";
import { undoPending } from "./undo_pending.ts";

export async function switchRelease(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  context: RunContext,
): Promise<OutcomeInput> {
  const { app, version, versionId, generation } = operation;
  const log = new TaskLog(context);
  const record = await readRecord(pm.machine, folder) ?? emptyRecord(operation);
  refuseOlder(operation, record);
  const { current, beside } = record;
  if (current?.generation === generation && current.versionId === versionId) {
    if (isCommitted(record)) return await finishDeploy(pm, folder, operation, record, context, log);
    if (!operation.hold) await clearBeside(pm, folder, record, (text) => log.say(text));
    return await succeed(pm, folder, operation, record, "serves already");
  }
  context.signal.throwIfAborted();
  const isPrepared = beside?.role === "prepared" && beside.generation === generation &&
    beside.release.versionId === versionId;
  if (isPrepared) return await switchTo(pm, { folder, operation, record, context, log });
  throw new ToldFailure(
    "switch.unprepared",
    `${app} ${version} does not wait beside on ${pm.node.name} any more, so requests cannot go to it. ${
      fateOf(current)
    } Deploy it again.`,
    { details: detailsOf(current) },
  );
}

export interface Switch {
  folder: AppFolder;
  operation: Operation;
  /** Its `beside` is what requests are to go to. */
  record: AppRecord;
  context: RunContext;
  log: TaskLog;
}

export async function switchTo(pm: PmParts, parts: Switch): Promise<OutcomeInput> {
  const { folder, operation, record, context, log } = parts;
  const { release: next } = record.beside!;
  const old = record.current;
  const trouble = await judgeBeside(pm, folder, operation.app, next);
  if (trouble) {
    throw new ToldFailure(
      "switch.gone",
      `${operation.app} ${next.version} cannot take requests on ${pm.node.name}: ${trouble.why}. ${fateOf(old)}`,
      { lastLines: trouble.lastLines, details: detailsOf(old) },
    );
  }
  const from = old ? routedBy(record, old.spec.route, old.ports) : undefined;
  const to = routedBy(record, next.spec.route, next.ports);
  if (to) requireRouter(pm);
  await context.trusted();
  record.generation = operation.generation;
  record.pending = {
    ...{ taskId: context.taskId, fence: context.fence, slot: next.slot!, stoppedOld: false, isSwitch: true },
    ...{ from, to, drained: record.pending?.drained },
  };
  await writeRecord(pm.machine, folder, record);
  try {
    const { spec, name, ports } = next;
    await drainOutside(pm, { folder, operation, spec, name, ports, record, context, log });
    if (to) {
      await requireRouter(pm).switchTo(to.route, to.backend);
      await log.say(`Port ${to.route.listen} leads to ${next.version} now.`);
    }
    await context.trusted();
    const isHeld = operation.hold === true && old?.slot;
    const beside: AppRecord["beside"] = isHeld
      ? { role: "held", release: old, generation: operation.generation, since: pm.clock.now().toISOString() }
      : null;
    const served = {
      current: { ...next, generation: operation.generation },
      beside,
      history: remember(record.history, name),
    };
    await writeRecord(pm.machine, folder, { ...record, ...served });
    Object.assign(record, served);
  } catch (error: unknown) {
    const grace = context.signal.aborted ? graceOf(context.signal) : undefined;
    await undoPending(pm, folder, record, grace, context.signal.aborted ? undefined : (text) => log.say(text));
    if (!(error instanceof PmFailure)) throw error;
    throw new ToldFailure(error.code, `${error.message} ${fateOf(old)}`, {
      ...error.more,
      details: { ...error.more.details, ...detailsOf(old) },
    });
  }
  return await finishDeploy(pm, folder, operation, record, context, log);
}

/** Ends what runs beside: the release that was held, or one that was prepared and is not wanted any more. */
export async function finishRelease(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  context: RunContext,
): Promise<OutcomeInput> {
  const log = new TaskLog(context);
  const record = await readRecord(pm.machine, folder) ?? emptyRecord(operation);
  refuseOlder(operation, record);
  const { app } = operation;
  const { beside } = record;
  if (beside) {
    await context.trusted();
    await clearBeside(pm, folder, record, (text) => log.say(text));
  }
  const message = beside
    ? `${app} ${beside.release.version} has ended on ${pm.node.name}.`
    : `Nothing of ${app} ran beside on ${pm.node.name}; nothing to end.`;
  return { status: "success", message, details: detailsOf(record.current) };
}

const fateOf = (old: AppRecord["current"]) => old ? `${old.version} keeps serving.` : "Nothing ran before it.";

const detailsOf = (old: AppRecord["current"]) => ({
  release: old?.name ?? null,
  version: old?.version ?? null,
  ports: old?.ports ?? {},
  keptPrevious: old !== null,
});
