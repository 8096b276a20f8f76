/**
 * Brings up a release in a container beside the one that runs:
 *
 *   allowed? -> files, image pulled -> container in the free slot -> healthy -> requests go to it -> record
 *     -> the old one answers what it has, stops -> prune
 *
 * As in `deploy_binary.ts` the record is the line: before it, whatever goes wrong ends the new container, and requests
 * go, or go again, to the old release. A crash before that line leaves `pending` in the record and a container with this
 * attempt's labels, which the same attempt adopts; after it at worst an old container to stop. `prepare` goes as far as
 * healthy, as there.
 */
import type { Operation, OutcomeInput, RenderedSpec } from "../../../protocol/operation.ts";
import type { RunContext } from "../../operator.ts";
import { graceOf } from "../../stopped.ts";
import type { AppFolder, Slot } from "../app_folder.ts";
import { emptyRecord, isCommitted, readRecord, writeRecord } from "../app_record.ts";
import type { AppRecord, RunningRelease } from "../app_record.ts";
import { clearBeside, isBeside, keepBeside, refuseSharedPort } from "../beside.ts";
import { choosePorts, requireFree } from "../choose_ports.ts";
import { endSlot } from "../end_slot.ts";
import { PmFailure } from "../failure.ts";
import { sha256Of } from "../fingerprint.ts";
import { finishDeploy } from "../finish_deploy.ts";
import { awaitHealthy } from "../health.ts";
import type { KeptProcess } from "../machine.ts";
import { refuseOlder } from "../pm_parts.ts";
import type { PmParts } from "../pm_parts.ts";
import { prepareRelease } from "../prepare_release.ts";
import { remember } from "../prune_releases.ts";
import { servePresent } from "../serve_present.ts";
import { otherSlot } from "../slots.ts";
import { TaskLog } from "../task_log.ts";
import type { OutputStream } from "../task_log.ts";
import { drainOutside } from "../route/outside.ts";
import { finishStream, tellBroken } from "../tell_broken.ts";
import type { Broken } from "../tell_broken.ts";
import { sendBack, undoPending } from "../undo_pending.ts";
import { findOwn, isStopping, requireEngine } from "./container_slots.ts";
import { containerName, LABEL } from "./container_plan.ts";
import type { DockerRuntime } from "./container_plan.ts";
import { compareShapes, shapeOf } from "./container_shape.ts";
import { askHealth, checksOf, healthMachine } from "./container_health.ts";
import { imageOf, requireImageAllowed } from "./image.ts";
import { isUp, keepContainer } from "./kept_container.ts";
import { contestedPorts, requireRouter, routedBy } from "./public_port.ts";
import { rememberImage } from "./prune_images.ts";
import { pullImage, STALL_MS } from "./pull_image.ts";
import { startRelease } from "./start_release.ts";
import { planMounts } from "./volumes.ts";

const LAST_LINES = 200;

/** What an attempt remembers over a restart of the agent. */
interface Saved {
  name: string;
  slot: Slot;
  ports: Record<string, number>;
  /** Containers that this attempt has started before this one. */
  run: number;
}

export async function deployDocker(
  pm: PmParts,
  folder: AppFolder,
  operation: Operation,
  spec: RenderedSpec,
  runtime: DockerRuntime,
  context: RunContext,
): Promise<OutcomeInput> {
  const { machine, clock, node } = pm;
  const log = new TaskLog(context);
  const record = await readRecord(machine, folder) ?? emptyRecord(operation);
  refuseOlder(operation, record);
  const isMine = (of: { taskId: string; fence: number } | null | undefined) =>
    of?.taskId === context.taskId && of.fence === context.fence;
  const isPrepare = operation.action === "prepare";
  if (isMine(isCommitted(record) ? record.pending : isPrepare ? undefined : record.current)) {
    return finishDeploy(pm, folder, operation, record, context, log);
  }
  if (isPrepare && isMine(record.beside?.release)) return isBeside(pm, operation, record);

  let stream: OutputStream | undefined;
  let kept: KeptProcess | undefined;
  try {
    context.signal.throwIfAborted();
    const image = imageOf(spec, runtime.image);
    requireImageAllowed(pm.policy, node.name, image);
    const warn = (message: string) => {
      pm.logger.log("WARN", message, { app: operation.app, environment: operation.environment, task: context.taskId });
      return log.say(message);
    };
    const place = { machine, policy: pm.policy, node: node.name, root: pm.root, warn };
    const mounts = await planMounts(place, operation, runtime.volumes ?? []);
    const engine = requireEngine(pm);
    if (spec.route.mode === "proxy") requireRouter(pm);

    const secrets = Object.fromEntries(spec.secrets.map((secret) => [secret, context.secrets[secret]]));
    const fingerprint = await sha256Of({ versionId: operation.versionId, spec, secrets });
    const saved = context.resumed && isMine(record.pending) ? context.saved as Saved | undefined : undefined;
    if (!saved) {
      const isWell = () => isAsDeployed(pm, folder, record);
      const served = await servePresent(pm, { folder, operation, record, context, log, fingerprint, isWell });
      if (served) return served;
    }
    const fixed = Object.values(runtime.ports ?? {});
    const contested = contestedPorts(record.current, spec, fixed);
    if (!saved && isPrepare && contested.length > 0) throw refuseSharedPort(operation, record.current!, contested);

    const name = saved?.name ?? await prepareRelease(pm, { folder, operation, spec, context, log });
    if (!saved) await pullImage({ engine, clock, stallMs: pm.pullStallMs ?? STALL_MS }, image, context, log);
    await rememberImage(machine, folder, name, image);
    const slot = saved?.slot ?? otherSlot(record.current?.slot);
    kept = saved && await adopt(pm, folder, slot, context);
    const run = saved ? saved.run + (kept ? 0 : 1) : 0;
    const wanted = spec.route.mode === "proxy" ? allAuto(runtime.ports ?? {}) : runtime.ports ?? {};
    let ports = saved?.ports ?? await choosePorts(machine, wanted, record, slot);

    if (!kept) {
      await context.trusted();
      if (record.pending) await sendBack(pm, record.pending); // an attempt that ended right after its switch
      await clearBeside(pm, folder, record, (text) => log.say(text));
      await endSlot(pm, folder, slot);
      await requireFree(machine, operation.app, wanted, contested);
      // An attempt before this one may have stopped it and died.
      const stoppedOld = contested.length > 0 || (record.pending?.stoppedOld ?? false);
      const from = record.current ? routedBy(record, record.current.spec.route, record.current.ports) : undefined;
      const to = routedBy(record, spec.route, ports);
      record.generation = operation.generation;
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
      if (contested.length > 0) {
        await log.say(
          `${record.current!.version} has to stop first: port ${contested.join(", ")} can be held by one only.`,
        );
        await drainOutside(pm, { folder, operation, spec, name, ports, record, context, log });
        await context.trusted();
        if (from) await requireRouter(pm).remove(from.route);
        await pm.supervisor.release(folder);
        await endSlot(pm, folder, record.current!.slot!, { keep: true });
        await requireFree(machine, operation.app, wanted, []);
      }
      const started = await startRelease(pm, {
        ...{ folder, slot, operation, spec, runtime, image, mounts, fingerprint, name, ports, context, log },
        async chose(others) {
          ports = others;
          record.ports[slot] = others;
          await writeRecord(machine, folder, record);
          const save: Saved = { name, slot, ports, run };
          await context.save(save);
        },
      });
      kept = keepContainer(engine, clock, started);
    }
    pm.active.set(context.taskId, kept);
    stream = log.stream(kept, run);
    const checks = checksOf(runtime, spec.health);
    const probed = { app: operation.app, ports, cwd: "/", env: {} };
    const hands = healthMachine(machine, engine, kept.container!);
    const verdict = await awaitHealthy(hands, clock, { ...spec, health: checks }, probed, kept, context);
    await stream.finish();
    if (!verdict.healthy) {
      throw new PmFailure(verdict.code, `${operation.app} ${operation.version} did not come up: ${verdict.why}.`);
    }
    await log.say(`Healthy after ${verdict.seconds.toFixed(1)} s.`);
    await context.trusted();
    const facts = await engine.findContainer(kept.container!);
    if (!facts) throw new PmFailure("container.gone", `The container of ${operation.app} was removed by someone else.`);
    const brought: RunningRelease = {
      ...{ name, versionId: operation.versionId, version: operation.version, fingerprint, slot, ports, spec },
      ...{ taskId: context.taskId, fence: context.fence, generation: operation.generation },
      container: await shapeOf(facts),
    };
    if (isPrepare) return await keepBeside(pm, folder, operation, record, brought);
    if (!record.pending!.stoppedOld) {
      await drainOutside(pm, { folder, operation, spec, name, ports, record, context, log });
    }
    const routed = routedBy(record, spec.route, ports);
    if (routed) {
      await requireRouter(pm).switchTo(routed.route, routed.backend);
      await log.say(`Port ${routed.route.listen} leads to ${operation.version} now.`);
      await context.trusted();
    }
    await requireUp(pm, operation, kept.container!);
    const served = { current: brought, history: remember(record.history, name) };
    await writeRecord(machine, folder, { ...record, ...served });
    Object.assign(record, served);
    return await finishDeploy(pm, folder, operation, record, context, log);
  } catch (error: unknown) {
    if (isMine(record.current) || isCommitted(record)) throw error; // the new one is the truth by now: nothing goes back
    throw await goBack(pm, folder, record, context, { error, kept, stream, log, isMine });
  } finally {
    pm.active.delete(context.taskId);
    kept?.forget();
  }
}

/** It may have ended while requests were already on their way. */
async function requireUp(pm: PmParts, { app, version }: Operation, container: string): Promise<void> {
  const facts = await requireEngine(pm).findContainer(container);
  if (!facts) throw new PmFailure("container.gone", `The container of ${app} was removed by someone else.`);
  if (isUp(facts)) return;
  const how = `it ended (with code ${facts.State.ExitCode}) when it was to serve`;
  throw new PmFailure("process.exited", `${app} ${version} did not come up: ${how}.`);
}

const allAuto = (ports: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.keys(ports).map((name) => [name, "auto" as const]));

/** The container that this attempt started before the agent ended; held still by it, maybe. */
async function adopt(pm: PmParts, folder: AppFolder, slot: Slot, context: RunContext) {
  const engine = requireEngine(pm);
  const facts = await findOwn(engine, folder, slot);
  const { taskId, fence } = context;
  const labels = facts?.Config.Labels ?? {};
  if (!facts || labels[LABEL.task] !== taskId || labels[LABEL.fence] !== String(fence)) return undefined;
  if (facts.State.Status === "created") return undefined; // the agent ended between making and starting it
  if (await isStopping(pm, folder, slot)) return undefined;
  await context.trusted();
  if (facts.State.Paused) await engine.unpauseContainer(facts.Id);
  return keepContainer(engine, pm.clock, facts);
}

async function isAsDeployed(pm: PmParts, folder: AppFolder, { current, app }: AppRecord): Promise<boolean> {
  if (!current?.slot || !current.container) return false;
  const facts = await requireEngine(pm).findContainer(containerName(folder, current.slot));
  if (!facts?.State.Running || facts.State.Paused || facts.State.Restarting) return false;
  if (compareShapes(current.container, await shapeOf(facts)).length > 0) return false;
  return await askHealth(pm, app, current, facts) === undefined;
}

/** Ends the new container and sees that the old release serves. Returns the error to throw, with what is known now. */
async function goBack(
  pm: PmParts,
  folder: AppFolder,
  record: AppRecord,
  context: RunContext,
  broken: Broken,
): Promise<unknown> {
  const { error, kept, isMine } = broken;
  const { pending, current: old } = record;
  await finishStream(broken, context);
  // Its container keeps them only until it is taken back.
  const lastLines = error instanceof PmFailure && kept ? await kept.lastLines(LAST_LINES) : [];
  if (pending && isMine(pending)) {
    await undoPending(pm, folder, record, context.signal.aborted ? graceOf(context.signal) : undefined);
  }
  return await tellBroken(broken, context, { old, pending, lastLines: async () => lastLines, pid: null });
}
