/**
 * Brings up a release in a container beside the one that runs:
 *
 *   allowed? -> files, image pulled -> container in the free slot -> healthy -> requests go to it -> record
 *     -> the old one answers what it has, stops -> prune
 *
 * As in `deploy_binary.ts` the record is the line: before it, whatever goes wrong ends the new container, and requests
 * go, or go again, to the old release. A crash before that line leaves `pending` in the record and a container with this
 * attempt's labels, which the same attempt adopts; after it at worst an old container to stop.
 */
import type { Operation, OutcomeInput, RenderedSpec } from "../../../protocol/operation.ts";
import type { RunContext } from "../../operator.ts";
import { graceOf } from "../../stopped.ts";
import type { AppFolder, Slot } from "../app_folder.ts";
import { emptyRecord, readRecord, writeRecord } from "../app_record.ts";
import type { AppRecord } from "../app_record.ts";
import { choosePorts, requireFree } from "../choose_ports.ts";
import { endSlot } from "../end_slot.ts";
import { PmFailure } from "../failure.ts";
import { sha256Of } from "../fingerprint.ts";
import { awaitHealthy } from "../health.ts";
import type { KeptProcess } from "../machine.ts";
import { refuseOlder } from "../pm_parts.ts";
import type { PmParts } from "../pm_parts.ts";
import { prepareRelease } from "../prepare_release.ts";
import { remember } from "../prune_releases.ts";
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
import { finishDocker, succeedDocker } from "./finish_docker.ts";
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
  const isMine = (of: { taskId: string; fence: number } | null) =>
    of?.taskId === context.taskId && of.fence === context.fence;
  if (isMine(record.current)) return finishDocker(pm, folder, operation, record, context, log);

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
    const isSame = !operation.reapply && record.current?.fingerprint === fingerprint;
    if (!saved && isSame && await isAsDeployed(pm, folder, record)) {
      await context.trusted();
      const routed = routedBy(record, spec.route, record.current!.ports);
      if (routed) await requireRouter(pm).switchTo(routed.route, routed.backend);
      await writeRecord(machine, folder, { ...record, generation: operation.generation });
      await log.say(`${operation.app} ${operation.version} runs here already and is healthy; nothing to do.`);
      return await succeedDocker(pm, folder, operation, record, "runs already and is healthy");
    }

    const name = saved?.name ?? await prepareRelease(pm, { folder, operation, spec, context, log });
    if (!saved) await pullImage({ engine, clock, stallMs: pm.pullStallMs ?? STALL_MS }, image, context, log);
    await rememberImage(machine, folder, name, image);
    const slot = saved?.slot ?? otherSlot(record.current?.slot);
    kept = saved && await adopt(pm, folder, slot, context);
    const run = saved ? saved.run + (kept ? 0 : 1) : 0;
    const wanted = spec.route.mode === "proxy" ? allAuto(runtime.ports ?? {}) : runtime.ports ?? {};
    let ports = saved?.ports ?? await choosePorts(machine, wanted, record, slot);
    const fixed = Object.values(runtime.ports ?? {});

    if (!kept) {
      const contested = contestedPorts(record.current, spec, fixed);
      await context.trusted();
      if (record.pending) await sendBack(pm, record.pending); // an attempt that ended right after its switch
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
        from,
        to,
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
    if (!record.pending!.stoppedOld) {
      await drainOutside(pm, { folder, operation, spec, name, ports, record, context, log });
    }
    const routed = routedBy(record, spec.route, ports);
    if (routed) {
      await requireRouter(pm).switchTo(routed.route, routed.backend);
      await log.say(`Port ${routed.route.listen} leads to ${operation.version} now.`);
      await context.trusted();
    }
    const facts = await engine.findContainer(kept.container!);
    if (!facts) throw new PmFailure("container.gone", `The container of ${operation.app} was removed by someone else.`);
    if (!isUp(facts)) {
      const how = `it ended (with code ${facts.State.ExitCode}) when it was to serve`;
      throw new PmFailure("process.exited", `${operation.app} ${operation.version} did not come up: ${how}.`);
    }
    const current = {
      ...{ name, versionId: operation.versionId, version: operation.version, fingerprint, slot, ports, spec },
      ...{ taskId: context.taskId, fence: context.fence, container: await shapeOf(facts) },
    };
    const history = remember(record.history, name);
    await writeRecord(machine, folder, { ...record, current, history });
    Object.assign(record, { current, history });
    return await finishDocker(pm, folder, operation, record, context, log);
  } catch (error: unknown) {
    if (isMine(record.current)) throw error; // the new one is the truth by now: nothing goes back
    throw await goBack(pm, folder, record, context, { error, kept, stream, log, isMine });
  } finally {
    pm.active.delete(context.taskId);
    kept?.forget();
  }
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
