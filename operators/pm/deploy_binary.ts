/**
 * Brings up a release beside the one that runs:
 *
 *   fetch, verify, unpack -> start in the free slot -> healthy -> requests go to it -> record
 *     -> the old one answers what it has, stops -> prune
 *
 * Until the record is written the old release is the truth: any failure, cancel or lost lease sends requests back to it,
 * stops the new program and leaves (or, when a fixed port made us stop it, brings back) the old one. A crash of the agent
 * before that line leaves `pending` in the record, after it at worst an old program to stop; the same attempt, taken up
 * again, goes on from either. A newer attempt clears the free slot first.
 *
 * `prepare` goes as far as healthy, and the record then names what waits beside for its switch (`beside.ts`). A deploy of
 * what runs beside already, as in a rollback while the old release is held, is a switch to it.
 */
import { parseDuration } from "../../domain/duration.ts";
import type { Operation, OutcomeInput, RenderedSpec } from "../../protocol/operation.ts";
import type { RunContext } from "../operator.ts";
import { DEFAULT_GRACE_SECONDS, graceOf } from "../stopped.ts";
import type { AppFolder, Slot } from "./app_folder.ts";
import { emptyRecord, isCommitted, readRecord, readStart, writeRecord, writeStart } from "./app_record.ts";
import type { AppRecord, RunningRelease } from "./app_record.ts";
import { clearBeside, isBeside, keepBeside, refuseSharedPort } from "./beside.ts";
import { binaryShape } from "./binary_shape.ts";
import { choosePorts, requireFree, sharedPorts } from "./choose_ports.ts";
import { requireRouter, routedBy } from "./docker/public_port.ts";
import { endSlot } from "./end_slot.ts";
import { buildEnvironment, knownOf, resolveCommand } from "./environment.ts";
import { PmFailure } from "./failure.ts";
import { sha256Of } from "./fingerprint.ts";
import { awaitHealthy, probe } from "./health.ts";
import type { Probed } from "./health.ts";
import type { KeptProcess } from "./machine.ts";
import { fillPlaceholders } from "./placeholders.ts";
import { finishDeploy } from "./finish_deploy.ts";
import { refuseOlder } from "./pm_parts.ts";
import type { PmParts } from "./pm_parts.ts";
import { prepareRelease } from "./prepare_release.ts";
import { remember } from "./prune_releases.ts";
import { drainOutside } from "./route/outside.ts";
import { servePresent } from "./serve_present.ts";
import { adoptSlot, otherSlot, startSlot } from "./slots.ts";
import { TaskLog } from "./task_log.ts";
import type { OutputStream } from "./task_log.ts";
import { finishStream, tellBroken } from "./tell_broken.ts";
import type { Broken } from "./tell_broken.ts";
import { sendBack, undoPending } from "./undo_pending.ts";
import { NO_LIMITS, planUnit } from "./units/plan_unit.ts";

type Binary = Extract<RenderedSpec["runtime"], { mode: "binary" }>;
const LAST_LINES = 200;

/** What an attempt remembers over a restart of the agent. */
interface Saved {
  name: string;
  slot: Slot;
  ports: Record<string, number>;
  /** Programs that this attempt has started before this one. */
  run: number;
}

export async function deployBinary(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  spec: RenderedSpec,
  runtime: Binary,
  context: RunContext,
): Promise<OutcomeInput> {
  const { machine, supervisor } = pm;
  const log = new TaskLog(context);
  const record = await readRecord(machine, folder) ?? emptyRecord(operation);
  refuseOlder(operation, record);
  const isMine = (of: { taskId: string; fence: number } | null | undefined) =>
    of?.taskId === context.taskId && of.fence === context.fence;
  const isPrepare = operation.action === "prepare";
  // Taken up again, it may have been done already; the program that serves may have been started by another attempt.
  if (isMine(isCommitted(record) ? record.pending : isPrepare ? undefined : record.current)) {
    return finishDeploy(pm, folder, operation, record, context, log);
  }
  if (isPrepare && isMine(record.beside?.release)) return isBeside(pm, operation, record);

  let stream: OutputStream | undefined;
  let kept: KeptProcess | undefined;
  try {
    context.signal.throwIfAborted();
    if (spec.route.mode === "proxy") requireRouter(pm);
    const secrets = Object.fromEntries(spec.secrets.map((name) => [name, context.secrets[name]]));
    const fingerprint = await sha256Of({ versionId: operation.versionId, spec, secrets });
    const saved = context.resumed && isMine(record.pending) ? context.saved as Saved | undefined : undefined;
    if (!saved) {
      const isWell = () => isHealthyNow(pm, folder, record);
      const served = await servePresent(pm, { folder, operation, record, context, log, fingerprint, isWell });
      if (served) return served;
    }
    const shared = sharedPorts(runtime.ports ?? {}, spec, record);
    if (!saved && isPrepare && shared.length > 0) throw refuseSharedPort(operation, record.current!, shared);

    const name = saved?.name ?? await prepareRelease(pm, { folder, operation, spec, context, log });
    const slot = saved?.slot ?? otherSlot(record.current?.slot);
    kept = saved && await adoptSlot(machine, folder, slot);
    const run = saved ? saved.run + (kept ? 0 : 1) : 0;
    const ports = saved?.ports ?? await choosePorts(machine, runtime.ports ?? {}, record, slot);
    const release = folder.release(name);
    const attempt = {
      taskId: context.taskId,
      attempt: context.attempt,
      fence: context.fence,
      secrets: context.secrets,
    };
    const env = buildEnvironment(machine, operation, spec, attempt, { node: pm.node.name, release, ports });
    const known = knownOf(machine, operation, ports, { ...machine.baseEnv, ...spec.env });
    const fill = (argument: string) => fillPlaceholders(argument, known, `exec of ${operation.app}`);
    const command = await resolveCommand(machine, operation.app, runtime.exec.map(fill), release, env);
    const health = spec.health.map((check) => "exec" in check ? { ...check, exec: check.exec.map(fill) } : check);
    const probed: Probed = { app: operation.app, ports, cwd: release, env, user: runtime.user };

    const outside = { folder, operation, spec, name, ports, record, context, log };

    if (!kept) {
      if (runtime.user !== undefined) await requireUser(pm, runtime.user, release);
      await context.trusted();
      if (record.pending) await sendBack(pm, record.pending); // an attempt that ended right after its switch
      await clearBeside(pm, folder, record, (text) => log.say(text));
      await endSlot(pm, folder, slot);
      await requireFree(machine, operation.app, runtime.ports ?? {}, shared);
      // An attempt before this one may have stopped it and died.
      const stoppedOld = shared.length > 0 || (record.pending?.stoppedOld ?? false);
      record.generation = operation.generation;
      const from = record.current ? routedBy(record, record.current.spec.route, record.current.ports) : undefined;
      const to = routedBy(record, spec.route, ports);
      record.pending = {
        taskId: context.taskId,
        fence: context.fence,
        slot,
        stoppedOld,
        ...(isPrepare ? {} : { from, to }),
        drained: record.pending?.drained,
      };
      record.ports[slot] = ports;
      await writeRecord(machine, folder, record);
      if (shared.length > 0) {
        await log.say(
          `${record.current!.version} has to stop first: port ${
            shared.join(", ")
          } is fixed and can be held by one only.`,
        );
        await context.trusted();
        await drainOutside(pm, outside);
        await context.trusted();
        if (from && spec.route.mode !== "proxy") await requireRouter(pm).remove(from.route);
        await supervisor.release(folder);
        await endSlot(pm, folder, record.current!.slot!, { keep: true });
        await requireFree(machine, operation.app, runtime.ports ?? {}, []);
      }
      const stop = {
        signal: runtime.stop?.signal ?? "TERM" as const,
        graceSeconds: parseDuration(runtime.stop?.grace ?? "") ?? DEFAULT_GRACE_SECONDS,
      };
      const unit = await planUnit(machine, folder, slot, { operation, runtime, cwd: release, stop });
      if (runtime.limits && !unit) await log.say(`${NO_LIMITS} of ${pm.node.name}.`);
      await context.trusted();
      await writeStart(machine, folder, slot, { command, cwd: release, env, user: runtime.user, stop, unit });
      const save: Saved = { name, slot, ports, run };
      await context.save(save);
      kept = await startSlot(machine, folder, slot);
      const where = Object.entries(ports).map(([port, number]) => `${port} on ${number}`).join(", ");
      await log.say(`Started ${operation.app} ${operation.version}, pid ${kept.pid}${where ? `, ${where}` : ""}.`);
    }
    pm.active.set(context.taskId, kept);
    stream = log.stream(kept, run);
    const verdict = await awaitHealthy(machine, pm.clock, { ...spec, health }, probed, kept, context);
    await stream.finish();
    if (!verdict.healthy) {
      throw new PmFailure(verdict.code, `${operation.app} ${operation.version} did not come up: ${verdict.why}.`);
    }
    await log.say(`Healthy after ${verdict.seconds.toFixed(1)} s.`);
    await context.trusted();
    const start = await readStart(machine, folder, slot);
    const brought: RunningRelease = {
      ...{ name, versionId: operation.versionId, version: operation.version, fingerprint, slot, ports, spec },
      ...{ taskId: context.taskId, fence: context.fence, generation: operation.generation },
      ...(start ? { binary: await binaryShape(machine, start) } : {}),
    };
    if (isPrepare) return await keepBeside(pm, folder, operation, record, brought);
    if (!record.pending!.stoppedOld) await drainOutside(pm, outside);
    const routed = routedBy(record, spec.route, ports);
    if (routed) {
      await requireRouter(pm).switchTo(routed.route, routed.backend);
      await log.say(`Port ${routed.route.listen} leads to ${operation.version} now.`);
    }
    await context.trusted();
    const served = { current: brought, history: remember(record.history, name) };
    await writeRecord(machine, folder, { ...record, ...served });
    Object.assign(record, served);
    return await finishDeploy(pm, folder, operation, record, context, log);
  } catch (error: unknown) {
    if (isMine(record.current) || isCommitted(record)) throw error; // the new one is the truth by now: nothing goes back
    throw await goBack(pm, folder, record, context, { error, kept, stream, log, isMine });
  } finally {
    pm.active.delete(context.taskId);
    kept?.forget(); // whoever watches over it has a hold of its own
  }
}

async function requireUser(pm: PmParts, user: string, release: string): Promise<void> {
  const refusal = await pm.machine.refuseUser(user, release);
  if (refusal) throw new PmFailure("user.refused", refusal);
}

async function isHealthyNow(pm: PmParts, folder: AppFolder, record: AppRecord): Promise<boolean> {
  const kept = pm.supervisor.running(folder);
  if (!kept || !record.current) return false;
  const { spec, ports, name } = record.current;
  const cwd = folder.release(name);
  const probed = { app: record.app, ports, cwd, env: pm.machine.baseEnv };
  const troubles = await Promise.all(
    spec.health.filter((check) => !("exec" in check)).map((check) => probe(pm.machine, check, probed)),
  );
  return troubles.every((trouble) => trouble === undefined);
}

/** Ends the new program and sees that the old one runs. Returns the error to throw, with what is known now. */
async function goBack(
  pm: PmParts,
  folder: AppFolder,
  record: AppRecord,
  context: RunContext,
  broken: Broken,
): Promise<unknown> {
  const { kept, log, isMine } = broken;
  const { pending } = record;
  if (pending && isMine(pending)) {
    const grace = context.signal.aborted ? graceOf(context.signal) : undefined;
    await undoPending(pm, folder, record, grace, context.signal.aborted ? undefined : (text) => log.say(text));
  }
  await finishStream(broken, context);
  return await tellBroken(broken, context, {
    old: record.current,
    pending,
    lastLines: async () => await kept?.lastLines(LAST_LINES) ?? [],
    pid: pm.supervisor.running(folder)?.pid ?? null,
  });
}
