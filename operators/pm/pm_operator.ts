/**
 * Physical machines: runs on the machine itself, in its agent. Modes `docker`, `binary` and `script`.
 * One operation per application and environment at a time; what each step leaves behind is told where it is done.
 */
import type { Clock, Logger, Timer } from "../../domain/ports.ts";
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { Operator, RunContext } from "../operator.ts";
import { stoppedOutcome } from "../stopped.ts";
import { readAppOutput } from "./app_output.ts";
import { closeBundle } from "./bundle_scripts.ts";
import { appFolderOf } from "./app_folder.ts";
import type { AppFolder } from "./app_folder.ts";
import { Locks } from "./app_locks.ts";
import { readRecord } from "./app_record.ts";
import type { AppRecord } from "./app_record.ts";
import { deployBinary } from "./deploy_binary.ts";
import { deployDocker } from "./docker/deploy_docker.ts";
import type { Engine } from "./docker/engine.ts";
import { routedBy } from "./docker/public_port.ts";
import { keepRunning } from "./end_slot.ts";
import { asFailure, PmFailure } from "./failure.ts";
import { leaveOld } from "./finish_binary.ts";
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
import { otherSlot } from "./slots.ts";
import { Supervisor } from "./supervisor.ts";
import { undoPending } from "./undo_pending.ts";
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
  const { engine, router, pullStallMs } = options;
  const pm: PmParts = {
    ...{ machine, clock, logger, node, policy, supervisor, engine, router, root, pullStallMs },
    active: new Map(),
  };
  const place = { node: node.name, user: options.user };
  const locks = new Locks();
  const watch = new HealthWatch(pm, root);
  const timers = new Set<Timer>();
  let isOver = false;

  async function act(operation: Operation, folder: AppFolder, context: RunContext): Promise<OutcomeInput> {
    const { action, spec } = operation;
    if (action === "remove") return removeApp(pm, folder, operation, context);
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
    if (runtime.mode === "docker") return deployDocker(pm, folder, operation, spec, runtime, context);
    if (runtime.mode === "binary") return deployBinary(pm, folder, operation, spec, runtime, context);
    if (!context.resumed) {
      await context.trusted();
      await settlePending(folder); // afterwards it would give the port to a program that the scripts replaced
    }
    return runScripts(pm, folder, operation, spec, runtime, context);
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

  /** Nobody took the attempt up again: end what it left, and let the recorded release run. */
  async function settlePending(folder: AppFolder): Promise<void> {
    const record = await readRecord(machine, folder);
    if (!record?.pending) return;
    const { pending, current } = record;
    if (current?.slot === pending.slot) { // the record names it: then only the old release is left to end
      if (current.spec.runtime.mode === "docker") await keepRunning(pm, folder, current);
      await leaveOld(pm, record, async (text) => logger.log("WARN", text, { app: record.app }));
      const old = { ...pending, slot: otherSlot(pending.slot), stoppedOld: false, from: undefined, to: undefined };
      await undoPending(pm, folder, { ...record, pending: old });
    } else await undoPending(pm, folder, record);
    logger.log("WARN", "cleared what an interrupted deploy had left", {
      app: record.app,
      environment: record.environment,
    });
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
    if (!record.pending) return await serveAgain(record);
    settleLater(folder);
  }

  function settleLater(folder: AppFolder): void {
    if (isOver) return;
    const timer = clock.after(PENDING_MS, () => {
      timers.delete(timer);
      locks.hold(folder.path, () => settlePending(folder)).catch((error: unknown) => {
        const context = { folder: folder.path, error: String(error) };
        logger.log("ERROR", "an interrupted deploy could not be cleared; trying again in a minute", context);
        settleLater(folder);
      });
    });
    timers.add(timer);
  }

  /** An engine or a proxy that was away may have kept an attempt from taking back, or finishing, what it began. */
  async function settleLeft(folder: AppFolder): Promise<void> {
    if ((await readRecord(machine, folder))?.pending) settleLater(folder);
  }

  return {
    kind: "pm",
    run,
    refuses: (operation) => refuseByPolicy(policy, operation, place)?.message,
    suspend: (taskId) => signalTask(pm, taskId, "STOP"),
    resume: (taskId) => signalTask(pm, taskId, "CONT"),
    async *observe() {
      for (const [folder, record] of await listApps(pm, root)) {
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
      for (const timer of timers) timer.cancel();
      timers.clear();
      await supervisor.close();
      router?.close?.();
    },
  };
}
