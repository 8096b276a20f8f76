/**
 * Physical machines: runs on the machine itself, in its agent. Modes `docker`, `binary` and `script`.
 * One operation per application and environment at a time; what each step leaves behind is told where it is done.
 */
import type { Clock, Logger, Timer } from "../../domain/ports.ts";
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { Operator, RunContext } from "../operator.ts";
import { stoppedOutcome } from "../stopped.ts";
import { readAppOutput } from "./app_output.ts";
import { clearBeside, LONGEST_MS } from "./beside.ts";
import { closeBundle } from "./bundle_scripts.ts";
import { appFolderOf } from "./app_folder.ts";
import type { AppFolder } from "./app_folder.ts";
import { Locks } from "./app_locks.ts";
import { isCommitted, readRecord } from "./app_record.ts";
import type { AppRecord } from "./app_record.ts";
import { deployBinary } from "./deploy_binary.ts";
import { deployDocker } from "./docker/deploy_docker.ts";
import type { Engine } from "./docker/engine.ts";
import { routedBy } from "./docker/public_port.ts";
import { keepBehind } from "./end_slot.ts";
import { asFailure, PmFailure } from "./failure.ts";
import { refuseByPolicy } from "./local_policy.ts";
import type { Machine } from "./machine.ts";
import { listApps, observeApp } from "./observe.ts";
import type { PmParts } from "./pm_parts.ts";
import type { PmPolicy } from "./policy.ts";
import { removeApp } from "./remove_app.ts";
import { runGate } from "./run_gate.ts";
import { runHook } from "./run_hook.ts";
import { runScripts } from "./run_scripts.ts";
import { letGoOn, signalTask } from "./signal_task.ts";
import type { Router } from "./router.ts";
import { settlePending } from "./settle_pending.ts";
import { Supervisor } from "./supervisor.ts";
import { finishRelease, switchRelease } from "./switch_release.ts";
import { HealthWatch } from "./watch_health.ts";

/** How long leftovers of an attempt wait for that attempt to be taken up again after a restart of the agent. */
const PENDING_MS = 60_000;
const MESSAGE_CHARACTERS = 8000;

export interface PmOptions {
  machine: Machine;
  clock: Clock;
  logger: Logger;
  /** Absolute: everything that is deployed lives below it. */
  root: string;
  node: { name: string };
  policy?: PmPolicy | undefined;
  /** The agent's own user: whom programs run as that name none. */
  user?: string | undefined;
  /** What runs containers; without it docker applications are refused. */
  engine?: Engine | undefined;
  /** What holds public ports; without it a route through the machine's proxy is refused. */
  router?: Router | undefined;
  /** How long a registry may send nothing. */
  pullStallMs?: number | undefined;
}

export function createPmOperator(options: PmOptions): Operator {
  const { machine, clock, logger, root, node } = options;
  // Programs are started in folders of their own: a relative path would mean another place there.
  if (!root.startsWith("/")) throw new Error(`the folder of applications must be an absolute path, not ${root}`);
  const policy = options.policy ?? { modes: ["docker", "binary", "script"] };
  const supervisor = new Supervisor({ machine, clock, logger });
  const behind = new Supervisor({ machine, clock, logger });
  const { engine, router, pullStallMs } = options;
  const pm: PmParts = {
    ...{ machine, clock, logger, node, policy, supervisor, behind, engine, router, root, pullStallMs },
    active: new Map(),
  };
  const place = { node: node.name, user: options.user };
  const locks = new Locks();
  const watch = new HealthWatch(pm, root);
  const timers = new Set<Timer>();
  /** By the application's folder: the end of what runs beside there. */
  const expiries = new Map<string, Timer>();
  let isOver = false;

  async function act(operation: Operation, folder: AppFolder, context: RunContext): Promise<OutcomeInput> {
    const { action, spec } = operation;
    if (action === "remove") {
      if (context.resumed) await letGoOn(machine, context);
      return removeApp(pm, folder, operation, context, place);
    }
    if (spec === null) throw new PmFailure("operation.spec", `What is to run of ${operation.app} was not sent along.`);
    const { runtime } = spec;
    if (runtime.mode === "mock") {
      throw new PmFailure(
        "mode.mock",
        `${operation.app} has no runtime for machines; give it \`docker\`, \`binary\` or \`script\`.`,
      );
    }
    const refusal = refuseByPolicy(policy, operation, place);
    if (refusal) throw new PmFailure(refusal.code, refusal.message);
    if (context.resumed) await letGoOn(machine, context);
    await settleOthers(operation, folder, context);
    const isScript = runtime.mode === "script";
    if (action === "finish") return finishRelease(pm, folder, operation, context);
    if (action === "switch" && !isScript) return switchRelease(pm, folder, operation, context);
    if (runtime.mode === "docker") return deployDocker(pm, folder, operation, spec, runtime, context);
    if (runtime.mode === "binary") return deployBinary(pm, folder, operation, spec, runtime, context);
    return runScripts(pm, folder, operation, spec, runtime, context);
  }

  /** A deploy goes on from what another attempt had begun, if that is not done; everything else wants it cleared first. */
  async function settleOthers(operation: Operation, folder: AppFolder, context: RunContext): Promise<void> {
    const record = await readRecord(machine, folder);
    if (!record?.pending) return;
    const { taskId, fence } = record.pending;
    if (taskId === context.taskId && fence === context.fence) return;
    const isStarted = operation.action === "deploy" && operation.spec!.runtime.mode !== "script";
    if (isStarted && !isCommitted(record)) return;
    await context.trusted();
    await settlePending(pm, folder);
  }

  /** A script that is run for itself waits for no deploy, and none for it. */
  async function runAlone(operation: Operation, folder: AppFolder, context: RunContext): Promise<OutcomeInput> {
    const { action, app, spec } = operation;
    if (spec === null) throw new PmFailure("operation.spec", `The release of ${app} was not sent along.`);
    const refusal = refuseByPolicy(policy, operation, place);
    if (refusal) throw new PmFailure(refusal.code, refusal.message);
    if (context.resumed) await letGoOn(machine, context);
    return await (action === "hook" ? runHook : runGate)(pm, folder, operation, spec, context);
  }

  async function run(operation: Operation, context: RunContext): Promise<OutcomeInput> {
    const isAlone = operation.action === "hook" || operation.action === "gate";
    // An attempt that ended just before the agent did must not do its work again.
    const ended = context.resumed ? (context.saved as { outcome?: OutcomeInput } | undefined)?.outcome : undefined;
    let outcome = ended;
    if (!outcome) {
      outcome = await attempt(operation, context, isAlone);
      await context.save({ outcome });
    }
    if (isAlone) await closeBundle(pm, appFolderOf(root, operation), context);
    else if (!ended) await watch.refresh();
    return outcome;
  }

  async function attempt(operation: Operation, context: RunContext, isAlone: boolean): Promise<OutcomeInput> {
    try {
      const folder = appFolderOf(root, operation);
      return isAlone
        ? await runAlone(operation, folder, context)
        : await locks.hold(folder.path, () => act(operation, folder, context)).finally(() => settleLeft(folder));
    } catch (error: unknown) {
      const failure = asFailure(error, node.name);
      if (context.signal.aborted) {
        return stoppedOutcome(context.signal, `What was begun for ${operation.app} on ${node.name} has been stopped.`);
      }
      if (!failure) throw error;
      const message = failure.message.slice(0, MESSAGE_CHARACTERS);
      return { status: "failed", message, code: failure.code, ...failure.more };
    }
  }

  /** The proxy may have lost its routes, or the port to somebody, while no agent looked. */
  async function serveAgain(record: AppRecord): Promise<void> {
    const routed = record.current && routedBy(record, record.current.spec.route, record.current.ports);
    if (!routed || !router) return;
    try {
      const serving = await router.serving(routed.route);
      const { host, port } = routed.backend;
      if (serving?.host !== host || serving.port !== port) await router.switchTo(routed.route, routed.backend);
    } catch (error: unknown) {
      const context = { app: record.app, environment: record.environment, error: String(error) };
      logger.log("ERROR", "the public port of an application is not served", context);
    }
  }

  async function takeUp(folder: AppFolder, record: AppRecord): Promise<void> {
    const committed = record.current?.slot !== undefined && record.current?.slot === record.pending?.slot;
    const isOurs = record.current?.spec.runtime.mode !== "docker"; // the engine brings containers back by itself
    if (record.current && isOurs && (!record.pending?.stoppedOld || committed)) {
      await supervisor.keep(folder, record.current);
    }
    if (record.beside?.role === "held") await keepBehind(pm, folder, record.beside.release);
    endBesideLater(folder, record);
    if (!record.pending) return await serveAgain(record);
    settleLater(folder);
  }

  function settleLater(folder: AppFolder): void {
    if (isOver) return;
    const timer = clock.after(PENDING_MS, () => {
      timers.delete(timer);
      locks.hold(folder.path, () => settlePending(pm, folder)).catch((error: unknown) => {
        const context = { folder: folder.path, error: String(error) };
        logger.log("ERROR", "an interrupted deploy could not be cleared; trying again in a minute", context);
        settleLater(folder);
      });
    });
    timers.add(timer);
  }

  /** Whatever runs beside is ended by its time when nobody comes for it. */
  function endBesideLater(folder: AppFolder, { beside }: AppRecord): void {
    expiries.get(folder.path)?.cancel();
    expiries.delete(folder.path);
    if (isOver || !beside) return;
    const leftMs = Date.parse(beside.since) + LONGEST_MS - clock.now().getTime();
    const timer = clock.after(Math.min(LONGEST_MS, Math.max(0, leftMs)), () => {
      locks.hold(folder.path, () => endForgotten(folder, beside.since)).catch((error: unknown) => {
        const context = { folder: folder.path, error: String(error) };
        logger.log("ERROR", "a release that nobody came for could not be ended", context);
      });
    });
    expiries.set(folder.path, timer);
  }

  async function endForgotten(folder: AppFolder, since: string): Promise<void> {
    const record = await readRecord(machine, folder);
    if (record?.beside?.since !== since) return;
    const { app, environment } = record;
    const { role, release } = record.beside;
    logger.log("WARN", "nobody came for a release that ran beside: ending it", {
      ...{ app, environment, role, version: release.version, since },
    });
    await clearBeside(pm, folder, record, async (text) => logger.log("INFO", text, { app, environment }));
  }

  /** An engine or a proxy that was away may have kept an attempt from taking back, or finishing, what it began. */
  async function settleLeft(folder: AppFolder): Promise<void> {
    const record = await readRecord(machine, folder);
    if (record?.pending) settleLater(folder);
    if (record) endBesideLater(folder, record);
  }

  return {
    kind: "pm",
    run,
    refuses: (operation) => refuseByPolicy(policy, operation, place)?.message,
    suspend: (taskId) => signalTask(pm, taskId, "STOP"),
    resume: (taskId) => signalTask(pm, taskId, "CONT"),
    async *observe(wants) {
      for (const [folder, record] of await listApps(pm, root)) {
        if (wants && !wants({ environmentId: record.environmentId, application: record.app })) continue;
        if (record.current) yield watch.add(folder, await observeApp(pm, folder, record));
      }
    },
    onChange: (call) => watch.onChange(call),
    async output({ application, environmentId }, lines, stop) {
      for (const [folder, record] of await listApps(pm, root)) {
        if (record.app !== application || record.environmentId !== environmentId) continue;
        return await readAppOutput(pm, folder, record, lines, stop);
      }
      return undefined;
    },
    async start() {
      await machine.files.makeFolder(root);
      await router?.start?.();
      for (const [folder, record] of await listApps(pm, root)) await takeUp(folder, record);
      await watch.refresh();
    },
    async stop() {
      isOver = true;
      watch.close();
      for (const timer of [...timers, ...expiries.values()]) timer.cancel();
      timers.clear();
      expiries.clear();
      await Promise.all([supervisor.close(), behind.close()]);
      router?.close?.();
    },
  };
}
