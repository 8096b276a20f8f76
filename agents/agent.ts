/**
 * The runtime that dials the master and hosts operators: on a machine, in a cluster, within the master itself.
 *
 *   start: state folder read -> operators started -> dialling --welcome--> working <--> away --stop--> ended
 *
 * It listens on nothing. While it is away its tasks go on for as long as their leases are trusted, then they are held
 * still. What it must not lose is on disk before it is said: tasks in the journal, results in the outbox, logs in the
 * spool. A crash at any point leaves a state that `load` understands.
 */
import type { Chance, Clock, CrashPoint, Dialer, Disk, Logger } from "../domain/ports.ts";
import { type Operator, StopReason } from "../operators/operator.ts";
import { type AgentFacts, CLOSE, PROTOCOL } from "../protocol/agent_messages.ts";
import { type AppOutputs, createAppOutputs } from "./app_outputs.ts";
import { type AfterWelcome, createConnection } from "./connection.ts";
import type { Identity } from "./identity.ts";
import { remember } from "./remember.ts";
import { createRenewalHandlers } from "./renew_keys.ts";
import { openJournal } from "./journal.ts";
import { createLeaseKeeper, type LeaseKeeper } from "./lease_keeper.ts";
import { createLogStreamer, type LogStreamer } from "./log_streamer.ts";
import { openOutbox } from "./outbox.ts";
import { createStateReporter, SCAN_SECONDS, type StateReporter } from "./state_reporter.ts";
import { createTaskBoard, type TaskBoard } from "./task_board.ts";
import type { Upgrader } from "./upgrade/upgrader.ts";

export const SPOOL_BYTES = 256 * 1024 * 1024;
export const SUSPENDED_BOUND_MS = 5 * 60_000;
/** How long an ending agent waits for the master to take its last results. */
const LAST_WORDS_MS = 10_000;
/**
 * What was left running is watched by nobody from now on: a process that waits for a dead peer's goodbye must be gone
 * before any lease passes on, so this is less than the least margin of trust.
 */
const DETACHED_PATIENCE_MS = 200;

export interface AgentOptions {
  identity: Identity;
  /** `pm`, `mock`, `k8s`, ...: what it is for, shown to people. */
  kind: string;
  /** Component -> version, shown to people. */
  versions: Record<string, string>;
  slots: number;
  operators: Operator[];
  dialer: Dialer;
  clock: Clock;
  disk: Disk;
  logger: Logger;
  chance: Chance;
  facts: AgentFacts;
  /** Fetches a blob of the master into the cache and returns its path. */
  fetchBlob(sha256: string, ticket: string): Promise<string>;
  crashPoint?: CrashPoint;
  spoolBytes?: number;
  suspendedBoundMs?: number;
  /** Between two looks at what runs. */
  scanSeconds?: number;
  /** Absent where the agent cannot be replaced, as within the master. */
  upgrader?: Upgrader;
  /** The master will never have this agent again; its tasks have been stopped. */
  onRevoked?(why: string): void;
}

export interface StopOptions {
  /** true: ends when the running tasks have; false: leaves them as they are, for the next process to adopt. */
  drain: boolean;
  /** With `drain`: tells the running tasks to stop. A second signal of an impatient person. */
  cancel?: boolean;
}

export interface AgentStatus {
  connected: boolean;
  draining: boolean;
  slots: number;
  running: number;
  suspended: number;
  /** Results that the master has not taken yet. */
  unacknowledged: number;
}

export interface Agent {
  /** Resolves when the state folder is read and the first dial is under way; the master need not be there. */
  start(): Promise<void>;
  stop(options: StopOptions): Promise<void>;
  status(): AgentStatus;
  /** What the machine can run has changed: `facts.modes` says so with the next hello, this says it now. */
  tellModes(): void;
}

type Handlers = { [T in AfterWelcome["type"]]: (message: Extract<AfterWelcome, { type: T }>) => void };

export function createAgent(options: AgentOptions): Agent {
  const { identity, clock, logger, operators } = options;
  let board: TaskBoard;
  let keeper: LeaseKeeper;
  let streamer: LogStreamer;
  let reporter: StateReporter;
  let outputs: AppOutputs;
  /** What the newest tasks of this connection are about, so that their end is followed by a look at it. */
  const about = new Map<string, { environmentId: string; application: string }>();
  let started: Promise<void> | undefined;
  let ended: Promise<void> | undefined;
  let detached = false;
  const instance = crypto.randomUUID();
  /** Agreed on in the last welcome. */
  let protocol: number = PROTOCOL.min;

  const handlers: Handlers = {
    "task.dispatch"(message) {
      const { environmentId, app } = message.operation;
      remember(about, message.taskId, { environmentId, application: app });
      board.dispatch(message);
    },
    "task.cancel": (message) => board.cancel(message),
    "lease.renewed": (message) => keeper.renewed(message),
    "log.ack": ({ taskId, fence, offset }) => streamer.acknowledged(taskId, fence, offset),
    "result.ack"(message) {
      board.resultAcknowledged(message);
      reporter.look(about.get(message.taskId));
      about.delete(message.taskId);
    },
    "agent.drain": ({ reason }) => board.drain(reason),
    "agent.undrain": () => board.drain(undefined),
    ...createRenewalHandlers({ identity, logger, send: (message) => connection.send(message) }),
    "agent.upgrade": (message) => options.upgrader?.asked(message),
    "operator.observe": ({ requestId }) => reporter.answer(requestId),
    "app.tail": (message) => outputs.ask(message),
  };
  const failed = (what: string) => (error: unknown) => logger.log("ERROR", what, { error: String(error) });

  const connection = createConnection({
    ...options,
    async hello({ nonce, masterId }) {
      if (identity.masterId !== null && identity.masterId !== masterId) {
        throw new Error("this is another master than the one this agent enrolled with");
      }
      return {
        type: "agent.hello",
        protocol: PROTOCOL,
        agentId: identity.agentId,
        kind: options.kind,
        versions: options.versions,
        slots: ended ? 0 : options.slots,
        facts: options.facts,
        signature: await identity.sign(nonce, masterId),
        resumes: board.resumes(),
        upgrade: options.upgrader?.report(),
        tickets: identity.renewal?.tickets(),
        instance,
      };
    },
    welcomed(welcome, helloSentAt) {
      keeper.connected(helloSentAt, welcome.leaseSeconds);
      board.welcomed(welcome);
      protocol = welcome.protocol;
      if (welcome.releaseKey !== undefined) pinReleaseKey(welcome.releaseKey);
      options.upgrader?.welcomed().catch(failed("An upgrade could not be confirmed."));
      about.clear();
      reporter.connected();
      if (welcome.ticket !== undefined) void keepTicket(welcome.ticket).catch(failed("A ticket could not be kept."));
    },
    received: (message) => (handlers[message.type] as (m: AfterWelcome) => void)(message),
    disconnected() {
      keeper.disconnected();
      streamer.disconnected();
      reporter.disconnected();
      outputs.stop();
    },
    atStakeMs: () => board.shortestLeaseMs(),
    revoked(why) {
      board.end(why);
      board.stopAll(new StopReason("lost", why, 0));
      options.onRevoked?.(why);
    },
  });

  async function keepTicket(ticket: string): Promise<void> {
    await identity.renewal?.keepTicket(ticket);
    connection.send({ type: "ticket.kept" });
  }

  /** On first use only, for one that enrolled before there was such a key: whoever it believed then, it believes. */
  function pinReleaseKey(key: string): void {
    const pinned = identity.renewal?.releaseKey();
    if (pinned === undefined) {
      identity.renewal?.pinReleaseKey(key).catch(failed("The release key could not be pinned."));
    } else if (pinned !== key) logger.log("WARN", "The master signs releases with another key than the pinned one.");
  }

  /** Resolves when no task runs. */
  const idle = () =>
    new Promise<void>((resolve) => {
      const look = () => board.isIdle() ? resolve() : undefined;
      board.onChange(look);
      look();
    });
  /** Resolves when the master has every result, or has had its time. */
  const told = () =>
    new Promise<void>((resolve) => {
      if (!connection.isUp) return resolve();
      const timer = clock.after(LAST_WORDS_MS, resolve);
      const look = () => board.status().unacknowledged === 0 ? (timer.cancel(), resolve()) : undefined;
      board.onChange(look);
      look();
    });

  async function end(): Promise<void> {
    await idle();
    if (!detached) await told();
    keeper.stop();
    reporter.stop();
    outputs.stop();
    await connection.stop(CLOSE.goingAway, "the agent ends", detached ? DETACHED_PATIENCE_MS : undefined);
    streamer.disconnected();
    for (const operator of operators) await operator.stop?.();
  }

  async function start(): Promise<void> {
    const { disk } = options;
    const budget = { used: 0, cap: options.spoolBytes ?? SPOOL_BYTES };
    keeper = createLeaseKeeper({
      clock,
      suspendedBoundMs: options.suspendedBoundMs ?? SUSPENDED_BOUND_MS,
      send: connection.send,
      onSuspend: (taskId) => board.suspend(taskId),
      onTrust: (taskId) => board.trust(taskId),
      onLost: (taskId, why) => board.lost(taskId, why),
    });
    streamer = createLogStreamer({
      clock,
      logger,
      send: connection.send,
      bufferedAmount: connection.bufferedAmount,
      onSent: (taskId) => board.logSent(taskId),
      onDrained: (taskId) => board.logDrained(taskId),
    });
    outputs = createAppOutputs({ ...options, send: connection.send, bufferedAmount: connection.bufferedAmount });
    reporter = createStateReporter({
      ...options,
      scanSeconds: options.scanSeconds ?? SCAN_SECONDS,
      send: connection.send,
    });
    board = createTaskBoard({
      ...options,
      crashPoint: options.crashPoint ?? (() => {}),
      budget,
      journal: await openJournal(disk),
      outbox: openOutbox(disk, logger),
      keeper,
      streamer,
      send: connection.send,
    });
    await board.load();
    options.upgrader?.attach({
      releaseKey: () => identity.renewal?.releaseKey(),
      protocol: () => protocol,
      send: (report) => connection.send({ type: "upgrade.report", ...report }),
    });
    for (const operator of operators) await operator.start?.();
    connection.start();
  }

  return {
    start: () => started ??= start(),
    async stop({ drain, cancel = false }) {
      if (!started) throw new Error("the agent was never started");
      await started;
      if (!ended) {
        board.end("This agent is about to end.");
        connection.send({ type: "slots.update", slots: 0 });
      }
      if (cancel) board.stopAll(new StopReason("shutdown", "The agent was told to end.", 10));
      else if (!drain) {
        detached = true;
        board.detachAll();
      }
      return await (ended ??= end());
    },
    tellModes() {
      if (!connection.isUp) return;
      connection.send({ type: "slots.update", slots: ended ? 0 : options.slots, modes: options.facts.modes });
    },
    status: () => ({
      connected: connection.isUp,
      draining: ended !== undefined,
      slots: options.slots,
      ...board.status(),
    }),
  };
}
