/**
 * Physical machines: runs on the machine itself, in its agent. Modes `binary` and `script`.
 * One operation per application and environment at a time; what each step leaves behind is told where it is done.
 */
import type { Clock, Logger, Timer } from "../../domain/ports.ts";
import type { Operation, OutcomeInput } from "../../protocol/operation.ts";
import type { Operator, RunContext } from "../operator.ts";
import { stoppedOutcome } from "../stopped.ts";
import { appFolderOf } from "./app_folder.ts";
import type { AppFolder } from "./app_folder.ts";
import { Locks } from "./app_locks.ts";
import { readRecord, writeRecord } from "./app_record.ts";
import type { AppRecord } from "./app_record.ts";
import { deployBinary } from "./deploy_binary.ts";
import { asFailure, PmFailure } from "./failure.ts";
import type { Machine } from "./machine.ts";
import { listApps, observeApp } from "./observe.ts";
import type { PmParts } from "./pm_parts.ts";
import type { PmPolicy } from "./policy.ts";
import { removeApp } from "./remove_app.ts";
import { runScripts } from "./run_scripts.ts";
import { letGoOn, signalTask } from "./signal_task.ts";
import { otherSlot, stopSlot } from "./slots.ts";
import { Supervisor } from "./supervisor.ts";

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
  policy?: PmPolicy;
}

export function createPmOperator(options: PmOptions): Operator {
  const { machine, clock, logger, root, node } = options;
  // Programs are started in folders of their own: a relative path would mean another place there.
  if (!root.startsWith("/")) throw new Error(`the folder of applications must be an absolute path, not ${root}`);
  const policy = options.policy ?? { modes: ["binary", "script"] };
  const supervisor = new Supervisor({ machine, clock, logger });
  const pm: PmParts = { machine, clock, logger, node, policy, supervisor, active: new Map() };
  const locks = new Locks();
  const timers = new Set<Timer>();

  async function act(operation: Operation, folder: AppFolder, context: RunContext): Promise<OutcomeInput> {
    const { spec } = operation;
    if (operation.action === "remove" || spec === null) return removeApp(pm, folder, operation, context);
    const { runtime } = spec;
    if (runtime.mode === "mock" || runtime.mode === "docker") {
      throw new PmFailure(
        "mode.mock",
        `${operation.app} has no runtime for machines; give it \`binary\` or \`script\`.`,
      );
    }
    if (!policy.modes.includes(runtime.mode)) {
      throw new PmFailure(
        "mode.refused",
        `${node.name} does not run ${runtime.mode} applications: its policy forbids it.`,
      );
    }
    if (context.resumed) await letGoOn(machine, context);
    return runtime.mode === "binary"
      ? deployBinary(pm, folder, operation, spec, runtime, context)
      : runScripts(pm, folder, operation, spec, runtime, context);
  }

  async function run(operation: Operation, context: RunContext): Promise<OutcomeInput> {
    // An attempt that ended just before the agent did must not do its work again.
    const ended = context.resumed ? (context.saved as { outcome?: OutcomeInput } | undefined)?.outcome : undefined;
    if (ended) return ended;
    let outcome: OutcomeInput;
    try {
      const folder = appFolderOf(root, operation);
      outcome = await locks.hold(folder.path, () => act(operation, folder, context));
    } catch (error: unknown) {
      const failure = asFailure(error, node.name);
      if (context.signal.aborted) {
        outcome = stoppedOutcome(
          context.signal,
          `What was begun for ${operation.app} on ${node.name} has been stopped.`,
        );
      } else if (failure) {
        const message = failure.message.slice(0, MESSAGE_CHARACTERS);
        outcome = { status: "failed", message, code: failure.code, ...failure.more };
      } else throw error;
    }
    await context.save({ outcome });
    return outcome;
  }

  /** Nobody took the attempt up again: end what it left, and let the recorded release run. */
  async function settlePending(folder: AppFolder): Promise<void> {
    const record = await readRecord(machine, folder);
    if (!record?.pending) return;
    const leftover = record.current?.slot === record.pending.slot
      ? otherSlot(record.pending.slot)
      : record.pending.slot;
    await stopSlot(machine, clock, folder, leftover);
    if (record.pending.stoppedOld && record.current) await supervisor.keep(folder, record.current);
    await writeRecord(machine, folder, { ...record, pending: null });
    logger.log("WARN", "cleared what an interrupted deploy had left", {
      app: record.app,
      environment: record.environment,
    });
  }

  async function takeUp(folder: AppFolder, record: AppRecord): Promise<void> {
    const committed = record.current?.slot !== undefined && record.current?.slot === record.pending?.slot;
    if (record.current && (!record.pending?.stoppedOld || committed)) await supervisor.keep(folder, record.current);
    if (!record.pending) return;
    const timer = clock.after(PENDING_MS, () => {
      timers.delete(timer);
      locks.hold(folder.path, () => settlePending(folder)).catch((error: unknown) =>
        logger.log("ERROR", "an interrupted deploy could not be cleared", { folder: folder.path, error: String(error) })
      );
    });
    timers.add(timer);
  }

  return {
    kind: "pm",
    run,
    suspend: (taskId) => signalTask(pm, taskId, "STOP"),
    resume: (taskId) => signalTask(pm, taskId, "CONT"),
    async *observe() {
      for (const [folder, record] of await listApps(pm, root)) {
        if (record.current) yield await observeApp(pm, folder, record);
      }
    },
    async tail(application, lines) {
      for (const [folder, { app, current }] of await listApps(pm, root)) {
        if (app !== application || !current?.slot) continue;
        return await (await machine.adoptProcess(folder.run(current.slot)))?.lastLines(lines);
      }
      return undefined;
    },
    async start() {
      await machine.files.makeFolder(root);
      for (const [folder, record] of await listApps(pm, root)) await takeUp(folder, record);
    },
    async stop() {
      for (const timer of timers) timer.cancel();
      timers.clear();
      await supervisor.close();
    },
  };
}
