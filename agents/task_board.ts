/**
 * Every task this agent knows, and what is to be done about it.
 *
 *   task.dispatch -> journal -> task.accept -> slot runs -> outbox -> (log all sent) task.result -> result.ack + log.ack -> gone
 *
 * Who moves what: the master's messages begin, cancel and acknowledge; the lease keeper suspends and gives up; the slot
 * ends. A crash leaves a journal entry (the attempt is adopted again: the welcome says whether to go on) or an outbox
 * entry (the result is sent again), never neither. Everything the master says names a fence: what is about another one
 * than ours is late, and ignored or refused.
 */
import type { Clock, CrashPoint, Disk, Logger } from "../domain/ports.ts";
import { type Operator, StopReason } from "../operators/operator.ts";
import type { Dispatch, FromAgent, Lease, ToAgent } from "../protocol/agent_messages.ts";
import type { OutcomeInput } from "../protocol/operation.ts";
import type { Identity } from "./identity.ts";
import { createAdoptions } from "./adoption.ts";
import { type Journal, type JournalEntry, placeOf } from "./journal.ts";
import type { LeaseKeeper } from "./lease_keeper.ts";
import type { LogStreamer } from "./log_streamer.ts";
import type { Outbox, StoredResult } from "./outbox.ts";
import { tidyOutcome } from "./outcome.ts";
import { remember } from "./remember.ts";
import type { Spool, SpoolBudget } from "./spool.ts";
import { createLateLog } from "./task_log.ts";
import { isTaskId } from "./task_id.ts";
import { createTaskSlot, type TaskSlot } from "./task_slot.ts";
import { createTaskSpools } from "./task_spools.ts";

type Welcome = Extract<ToAgent, { type: "agent.welcome" }>;
type Resume = Extract<FromAgent, { type: "agent.hello" }>["resumes"][number];

interface Entry extends Lease {
  attempt: number;
  leaseSeconds?: number;
  /** Set while the task runs; a finished one that was loaded from the outbox has none. */
  slot?: TaskSlot;
  /** Its journal entry is on disk. */
  accepted?: boolean;
  /** How often it was taken up by agents that ended soon after. */
  adoptions?: number;
  /** Runs it, once; set on what the journal brought back until the master has said that it may go on. */
  adopt?: (now?: boolean) => void;
  spool?: Spool;
  result?: StoredResult;
  /** The connection in which the result was sent. */
  sentIn?: number;
  acknowledged?: boolean;
  /** A newer lease of the same task, waiting for this attempt to end. */
  successor?: { message: Dispatch; from: number };
}

export interface TaskBoardOptions {
  identity: Identity;
  slots: number;
  operators: Operator[];
  clock: Clock;
  disk: Disk;
  logger: Logger;
  crashPoint: CrashPoint;
  budget: SpoolBudget;
  journal: Journal;
  outbox: Outbox;
  keeper: LeaseKeeper;
  streamer: LogStreamer;
  send(message: FromAgent): void;
  fetchBlob(sha256: string, ticket: string): Promise<string>;
}

export function createTaskBoard(options: TaskBoardOptions) {
  const { clock, disk, logger, crashPoint, journal, outbox, keeper, streamer, send } = options;
  const operators = new Map(options.operators.map((operator) => [operator.kind, operator]));
  const entries = new Map<string, Entry>();
  let session = 0;
  let detached = false;
  /** Why nothing new is taken: the master's wish, for this connection, and this agent's own. */
  let draining: string | undefined;
  let ending: string | undefined;
  /** The newest leases that ended here, so that a dispatch which arrives once more begins nothing. */
  const ended = new Map<string, number>();
  /** Cancels of leases that this agent has not heard of yet; the dispatch may be right behind. */
  const cancelled = new Map<string, { fence: number; reason: string }>();
  /** Removals under way: a new attempt of the same task waits for it. */
  const leaving = new Map<string, Promise<void>>();
  const spools = createTaskSpools(disk, options.budget, streamer);
  const adoptionsInTurn = createAdoptions(clock);
  let changed = () => {};

  const running = () => [...entries.values()].filter((entry) => entry.slot);
  function busy(): number {
    let count = 0;
    for (const { slot } of entries.values()) if (slot && !slot.lost) count++;
    return count;
  }
  const report = (what: string, taskId: string) => (error: unknown) =>
    logger.log("ERROR", what, { taskId, error: String(error) });

  /** Why this task is not for us; undefined when it is. */
  function objection({ taskId, operation }: Dispatch): { why: string; retryable: boolean } | undefined {
    const no = (why: string, retryable = false) => ({ why, retryable });
    if (!isTaskId(taskId)) return no("The task's id is not one.");
    const closed = ending ?? draining;
    if (closed) return no(closed, true);
    if (!operators.has(operation.kind)) return no(`This agent has no operator for ${operation.kind}.`);
    const refusal = operators.get(operation.kind)!.refuses?.(operation);
    if (refusal) return no(refusal);
    if (operation.generation < journal.generation(placeOf(operation))) {
      return no("A newer deployment of this application has already been here.");
    }
    if (busy() >= options.slots) return no(`All ${options.slots} slots are taken.`, true);
    return undefined;
  }

  function dispatch(message: Dispatch, from = keeper.freshFrom - (message.leaseAge ?? 0) * 1000): void {
    const { taskId, fence } = message;
    const known = entries.get(taskId);
    const refuse = (why: string, retryable = false) =>
      send({ type: "task.refuse", taskId, fence, reason: why, retryable });
    if (known && known.fence === fence) {
      // Said twice. What is running was accepted; what is finished has its answer.
      if (known.accepted && known.slot) send({ type: "task.accept", taskId, fence });
      else deliver(known, true);
      return;
    }
    if (known && known.fence > fence) return refuse("This agent holds a newer lease of the task.");
    if (!known && fence <= (ended.get(taskId) ?? -1)) return refuse("This attempt has ended here.");
    const early = cancelled.get(taskId);
    if (early?.fence === fence) return refuse(early.reason); // it never began
    if (known?.slot) {
      known.successor = { message, from };
      known.slot.stop(new StopReason("lost", "The task was handed out anew.", 0));
      return;
    }
    const objected = objection(message);
    if (objected) return refuse(objected.why, objected.retryable);
    const entry = begin(message);
    const gone = known ? drop(known) : leaving.get(taskId) ?? Promise.resolve();
    gone.then(() => takeOn(entry, message, from)).catch(report("A task ended in a way nobody foresaw.", taskId));
  }

  function begin(dispatch: Dispatch): Entry {
    const { taskId, fence, attempt, leaseSeconds } = dispatch;
    const slot = createTaskSlot({
      dispatch,
      operator: operators.get(dispatch.operation.kind)!,
      clock,
      logger,
      isTrusted: () => keeper.isTrusted(taskId),
    });
    const entry: Entry = { taskId, fence, attempt, leaseSeconds, slot };
    entries.set(taskId, entry);
    return entry;
  }

  async function takeOn(entry: Entry, dispatch: Dispatch, from: number): Promise<void> {
    const { taskId, fence } = entry;
    const startedAt = clock.now().toISOString();
    try {
      keeper.hold(entry, dispatch.leaseSeconds, from);
      await spools.clear(entry);
      await Promise.all([
        journal.raiseGeneration(placeOf(dispatch.operation), dispatch.operation.generation),
        journal.put({ dispatch, startedAt, saved: null }),
      ]);
      crashPoint("agent.before_accept");
    } catch (error: unknown) {
      const message = `The agent could not write to its state folder: ${(error as Error)?.message ?? error}`;
      return await finish(entry, { status: "failed", code: "agent.disk", message, retryable: true }, []);
    }
    entry.accepted = true;
    send({ type: "task.accept", taskId, fence });
    crashPoint("agent.accepted");
    await run(entry, dispatch, { startedAt, saved: null, resumed: false });
  }

  async function run(entry: Entry, dispatch: Dispatch, from: { startedAt: string; saved: unknown; resumed: boolean }) {
    let secrets: Record<string, string> = {};
    try {
      if (dispatch.sealedSecrets) secrets = await options.identity.openSecrets(dispatch.sealedSecrets, entry);
    } catch (error: unknown) {
      const message = `The secrets could not be opened: ${error instanceof Error ? error.message : error}`;
      return await finish(entry, { status: "failed", code: "secrets.sealed", message }, []);
    }
    const log = createLateLog(() => entry.spool ?? spools.begin(entry), Object.values(secrets));
    const outcome = await entry.slot!.run({
      ...from,
      secrets,
      log: log.log,
      logPosition: entry.spool?.position ?? 0,
      save(saved) {
        from.saved = saved;
        return journal.put({ dispatch, startedAt: from.startedAt, saved, adoptions: entry.adoptions });
      },
      fetchBlob(sha256) {
        if (dispatch.blobTicket) return options.fetchBlob(sha256, dispatch.blobTicket);
        return Promise.reject(new Error("The task came without a ticket for its files."));
      },
    });
    await log.finish().catch(report("The end of a log could not be written.", entry.taskId));
    if (outcome) return await finish(entry, outcome, Object.values(secrets));
    logger.log("WARN", "The task is someone else's now; what was done here is stopped.", { taskId: entry.taskId });
    await drop(entry);
  }

  function adopt(entry: Entry, { dispatch, startedAt, saved, adoptions = 0 }: JournalEntry, now: boolean) {
    const from = { startedAt, saved, resumed: true };
    return adoptionsInTurn.take({
      adoptions,
      async count(times) {
        if (times === 0 && entry.spool?.finished) return; // its end is being written down: nothing comes after that
        await journal.put({ dispatch, startedAt, saved: from.saved, adoptions: entry.adoptions = times })
          .catch(report("It could not be noted that a task was taken up again.", entry.taskId));
      },
      run: () => run(entry, dispatch, from),
      stop: (why) => entry.slot!.stop(new StopReason("shutdown", why, 0)),
      giveUp: (message) => finish(entry, { status: "failed", code: "agent.killed", message, retryable: true }, []),
    }, now);
  }

  async function finish(entry: Entry, outcome: OutcomeInput, secrets: string[]) {
    const { taskId, fence, attempt, leaseSeconds } = entry;
    if (entry.spool && !entry.spool.finished) {
      await entry.spool.finish().catch(report("The end of a log could not be written.", taskId));
    }
    const result = { taskId, fence, attempt, leaseSeconds, outcome: tidyOutcome(outcome, secrets) };
    crashPoint("agent.before_outbox");
    await outbox.put(result);
    crashPoint("agent.result_saved");
    // Nobody waits for it: where both are left, the result counts.
    journal.remove(taskId).catch(report("A journal entry could not be removed.", taskId));
    entry.slot = undefined;
    entry.result = result;
    keeper.finish(taskId); // the lease is renewed until the master has the result
    if (entry.successor) return await drop(entry);
    deliver(entry);
    changed();
  }

  /** Sends the result after the last chunk of its log, once per connection. */
  function deliver(entry: Entry, again = false) {
    const { taskId, fence, result } = entry;
    if (!result || session === 0 || !streamer.isSent(taskId) || (entry.sentIn === session && !again)) return;
    entry.sentIn = session;
    crashPoint("agent.before_result");
    send({ type: "task.result", taskId, fence, outcome: result.outcome });
  }

  /** Nobody needs it any more. */
  function drop(entry: Entry): Promise<void> {
    const { taskId } = entry;
    if (entries.get(taskId) === entry) entries.delete(taskId);
    remember(ended, taskId, entry.fence);
    keeper.release(taskId);
    streamer.remove(taskId);
    const gone = removeTraces(entry).then(() => {
      if (leaving.get(taskId) === gone) leaving.delete(taskId);
      changed();
      if (entry.successor) dispatch(entry.successor.message, entry.successor.from);
    });
    leaving.set(taskId, gone);
    return gone;
  }

  async function removeTraces(entry: Entry): Promise<void> {
    const undone = report("What is left of a task could not be removed.", entry.taskId);
    await journal.remove(entry.taskId).catch(undone);
    await outbox.remove(entry.taskId).catch(undone);
    await spools.remove(entry).catch(undone);
  }

  function resume(entry: Entry, verdict: Welcome["resumes"][number] | undefined, leaseSeconds: number) {
    const { taskId } = entry;
    const goesOn = verdict && verdict.fence === entry.fence && verdict.verdict !== "abort";
    const aligned = goesOn && (entry.spool ? streamer.align(taskId, verdict.logOffset) : verdict.logOffset === 0);
    if (goesOn && !aligned) {
      logger.log("ERROR", "The master has more of this log than the spool; the attempt cannot go on.", { taskId });
    }
    if (entry.slot) {
      if (!aligned) return stop(entry, new StopReason("lost", "The task is no longer this agent's.", 0));
      keeper.hold(entry, leaseSeconds);
      send({ type: "task.accept", taskId, fence: entry.fence }); // the first one may not have arrived
      entry.adopt?.();
      entry.adopt = undefined;
    } else {
      if (!goesOn) return void drop(entry);
      if (!aligned) streamer.remove(taskId);
      keeper.hold(entry, leaseSeconds);
      keeper.finish(taskId);
    }
  }

  function stop(entry: Entry, reason: StopReason) {
    entry.slot!.stop(reason);
    // An adopted attempt runs only to stop what it left behind: the operator is told, with the signal already aborted.
    entry.adopt?.(true);
    entry.adopt = undefined;
  }

  return {
    /** Brings back what the last process knew. Nothing runs before the welcome. */
    async load(): Promise<void> {
      const finished = await outbox.load();
      for (const result of finished) {
        const entry: Entry = { ...result, result };
        entries.set(result.taskId, entry);
        await (await spools.reopen(entry)).finish(); // what the journal has of it goes when the result is acknowledged
      }
      for (const record of await journal.load()) {
        const { dispatch } = record;
        if (entries.has(dispatch.taskId)) continue;
        if (!operators.has(dispatch.operation.kind)) {
          logger.log("WARN", `A task is given up: there is no operator for ${dispatch.operation.kind} any more.`);
          await journal.remove(dispatch.taskId);
          continue;
        }
        const entry = begin(dispatch);
        entry.accepted = true;
        await journal.raiseGeneration(placeOf(dispatch.operation), dispatch.operation.generation)
          .catch(report("A generation could not be noted.", dispatch.taskId)); // it is known, and noted with the next one
        await spools.reopen(entry);
        entry.adopt = (now = false) =>
          void adopt(entry, record, now).catch(report("A task ended in a way nobody foresaw.", dispatch.taskId));
      }
      await spools.removeAllBut(entries.values());
    },
    resumes: (): Resume[] =>
      [...entries.values()].map(({ taskId, fence, slot, spool }) => ({
        taskId,
        fence,
        state: slot?.state ?? "finished",
        logOffset: spool?.end ?? 0,
      })),
    welcomed(welcome: Welcome): void {
      session++;
      draining = undefined;
      const verdicts = new Map(welcome.resumes.map((verdict) => [verdict.taskId, verdict]));
      for (const entry of [...entries.values()]) resume(entry, verdicts.get(entry.taskId), welcome.leaseSeconds);
      streamer.connected(welcome.leaseSeconds);
      for (const entry of entries.values()) deliver(entry);
    },
    dispatch,
    cancel({ taskId, fence, graceSeconds, reason }: Extract<ToAgent, { type: "task.cancel" }>): void {
      const entry = entries.get(taskId);
      if (entry?.fence === fence) entry.slot?.stop(new StopReason("cancel", reason, graceSeconds));
      else if (entry?.successor?.message.fence === fence) {
        entry.successor = undefined; // it never began
        send({ type: "task.refuse", taskId, fence, reason, retryable: false });
      } else if (fence > (entry?.fence ?? ended.get(taskId) ?? -1)) remember(cancelled, taskId, { fence, reason });
    },
    resultAcknowledged({ taskId, fence }: Extract<ToAgent, { type: "result.ack" }>): void {
      const entry = entries.get(taskId);
      if (!entry?.result || entry.fence !== fence) return;
      // Refused as well: one that came twice is, and its log is wanted all the same. Of a lease that has passed on the
      // master acknowledges any log.
      entry.acknowledged = true;
      keeper.release(taskId);
      if (streamer.isDrained(taskId)) void drop(entry);
      else changed();
    },
    logSent(taskId: string): void {
      const entry = entries.get(taskId);
      if (entry) deliver(entry);
    },
    logDrained(taskId: string): void {
      const entry = entries.get(taskId);
      if (entry?.acknowledged) void drop(entry);
    },
    suspend: (taskId: string) => entries.get(taskId)?.slot?.suspend(),
    trust: (taskId: string) => entries.get(taskId)?.slot?.resume(),
    lost: (taskId: string, why: string) => entries.get(taskId)?.slot?.stop(new StopReason("lost", why, 0)),
    /** Takes nothing new while this connection lasts, or as long as it is not told otherwise. */
    drain: (why: string | undefined) => void (draining = why),
    /** Takes nothing new ever again. */
    end: (why: string) => void (ending = why),
    stopAll(reason: StopReason): void {
      for (const entry of running()) stop(entry, reason);
    },
    /** Leaves every running task as it is, for the next process to adopt. */
    detachAll(): void {
      detached = true;
      for (const entry of running()) entry.slot!.detach();
      changed();
    },
    shortestLeaseMs(): number | undefined {
      const leases = [...entries.values()].flatMap((entry) => entry.acknowledged ? [] : entry.leaseSeconds ?? []);
      return leases.length > 0 ? Math.min(...leases) * 1000 : undefined;
    },
    /** What waits to be adopted is not waited for: the next process will. */
    isIdle: () => detached || running().every((entry) => entry.adopt),
    status: () => ({
      running: running().filter((entry) => entry.slot!.state === "running").length,
      suspended: running().filter((entry) => entry.slot!.state === "suspended").length,
      unacknowledged: [...entries.values()].filter((entry) => entry.result && !entry.acknowledged).length,
    }),
    onChange: (listen: () => void) => void (changed = listen),
  };
}
export type TaskBoard = ReturnType<typeof createTaskBoard>;
