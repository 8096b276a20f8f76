/**
 * Free slots of connected agents -> claim in one statement -> task.dispatch.
 *
 *   woken by "tasks" (new work, a result, a freed slot) | sweep
 *     -> claim for all free slots -> dispatch -> again while work was claimed that several agents could have had
 *   a few results -> taken, and what became ready by them claimed, with one commit -> dispatch; no look for more, where
 *     the last look has left nothing and they have left nothing either
 *
 * Free slots are promised to one claim at a time. When the loop has them, or wants them, results are taken alone, and
 * it claims what became ready: so nobody who waits is passed over for long. Once told to stop nobody offers them: results
 * are taken as before, and what becomes ready is left to the next master.
 *
 * A crash between claim and dispatch leaves a leased task that its agent does not know: the agent's next hello, or the
 * end of the lease, gives it back. So it is sent on the connection it was claimed for and on no newer one: that one's
 * hello may have given it back, and somebody else may have it.
 */
import { AppError } from "../domain/app_error.ts";
import type { ClaimedTask, FreeSlots } from "../db/tasks/claim_tasks.ts";
import type { TaskResult } from "../db/tasks/finish_tasks.ts";
import type { Dispatch } from "../protocol/agent_messages.ts";
import { Outcome } from "../protocol/operation.ts";
import type { Session, Sessions } from "./agent_sessions.ts";
import type { CoreDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

/** Results at once that are few: behind more of them, others would wait too long for the slots. */
const FEW = 10;
/** What becomes due by time alone, or by a master that cannot be heard, is looked for by results after that long. */
const BELIEVED_MS = 1000;

export interface Dispatcher {
  loop: Loop;
  /** Takes results, and hands on at once what became ready by a few of them. @returns the ids that were taken */
  finish(results: readonly TaskResult[]): Promise<string[]>;
  /** There may be work. */
  hear(): void;
  /** Tells the others that results were taken, and looks for work where some may be left. */
  tellTaken(): void;
  /** From now on nothing is claimed for anybody, while connections, loops and results end in their own time. */
  stop(): void;
}

export function createDispatcher(deps: CoreDeps, sessions: Sessions): Dispatcher {
  /** Whoever has the free slots now; it never fails. */
  let promised: Promise<void> | undefined;
  let isWanted = false;
  /** When it was last seen that nothing is left that waits for a slot; undefined once there is cause to doubt it. */
  let doneAt: number | undefined;
  /** How often there was such cause. */
  let doubts = 0;
  let isTelling = false;
  let isStopped = false;
  const freeSlots = (ending?: readonly TaskResult[]): FreeSlots[] => isStopped ? [] : sessions.free(ending);
  function doubt(): void {
    doneAt = undefined;
    doubts++;
  }
  const isDone = () => doneAt !== undefined && deps.clock.monotonic() - doneAt < BELIEVED_MS;

  /** What cannot be prepared cannot be run: the task fails with the sentence, instead of waiting for its lease to end. */
  async function fail(task: ClaimedTask, session: Session, error: unknown): Promise<void> {
    session.held.delete(task.id);
    const message = error instanceof AppError
      ? error.message
      : `The master could not prepare this task: ${String(error)}`;
    // Too old for it: another agent may not be.
    const code = error instanceof AppError && error.code === "agent.outdated" ? error.code : "dispatch.failed";
    deps.logger.log("ERROR", "a dispatch could not be prepared", { taskId: task.id, error: String(error) });
    const outcome = Outcome.parse({ status: "failed", code, message });
    const result = { taskId: task.id, fence: task.fence, agentId: task.agentId, outcome };
    await deps.store.finishTasks([result], deps.chance);
    deps.hints.announce("tasks"); // its end may have moved the deployment
    deps.hints.announce("events");
  }

  /** One frame for all that one agent was given. */
  async function dispatchTo(session: Session, tasks: readonly ClaimedTask[], askedAt: number): Promise<void> {
    const ready: Dispatch[] = [];
    for (const task of tasks) {
      session.held.set(task.id, task.fence);
      try {
        ready.push(await deps.makeDispatch(task, session));
      } catch (error: unknown) {
        await fail(task, session, error);
      }
    }
    const leaseAge = Math.max(0, deps.clock.monotonic() - askedAt) / 1000;
    session.send(...ready.map((dispatch) => ({ ...dispatch, leaseAge })));
  }

  async function handOut(
    claimed: readonly ClaimedTask[],
    agents: readonly FreeSlots[],
    askedAt: number,
  ): Promise<void> {
    const sessionIds = new Map(agents.map((agent) => [agent.agentId, agent.sessionId]));
    deps.crashPoint("claimed");
    for (const [agentId, tasks] of Map.groupBy(claimed, (task) => task.agentId)) {
      // One that went away meanwhile: its next hello or the end of the lease gives the tasks back.
      const session = sessions.byAgent(agentId);
      if (session && session.id === sessionIds.get(agentId)) await dispatchTo(session, tasks, askedAt);
    }
    deps.crashPoint("dispatched");
    deps.hints.announce("events");
  }
  async function claimAndHandOut(): Promise<ClaimedTask[]> {
    const askedAt = deps.clock.monotonic();
    const [agents, before] = [freeSlots(), doubts];
    doneAt = undefined;
    const claimed = await deps.store.claimTasks(agents, deps.leaseSeconds);
    if (claimed.length > 0) await handOut(claimed, agents, askedAt);
    if (doubts === before && hasRoom(agents, claimed)) doneAt = askedAt;
    return claimed;
  }
  /** Whether nobody was given less than there may be for him, because of his slots. */
  function hasRoom(agents: readonly FreeSlots[], claimed: readonly ClaimedTask[]): boolean {
    const left = new Map(agents.map((agent) => [agent.agentId, agent.free]));
    for (const { agentId } of claimed) left.set(agentId, left.get(agentId)! - 1);
    return sessions.all().every((session) => session.cordoned || (left.get(session.agentId) ?? 0) > 0);
  }
  /** Has the slots until it is done. */
  async function withSlots<T>(run: () => Promise<T>): Promise<T> {
    const done = run();
    const mine = done.then(() => undefined, () => undefined).then(() => {
      if (promised === mine) promised = undefined;
    });
    promised = mine;
    return await done;
  }

  const loop = createLoop({
    name: "dispatch loop",
    sweepSeconds: deps.sweepSeconds,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      let again = true;
      while (again) {
        isWanted = true;
        while (promised) await promised;
        isWanted = false;
        const claimed = await withSlots(claimAndHandOut);
        // What is meant for one agent was all claimed, as far as its slots go.
        again = claimed.some((task) => task.isShared !== false);
      }
    },
  });

  async function finish(results: readonly TaskResult[]): Promise<string[]> {
    const { store, chance, clock, leaseSeconds } = deps;
    const agents = promised || isWanted || results.length > FEW ? [] : freeSlots(results);
    if (agents.length === 0) {
      try {
        return await store.finishTasks(results, chance);
      } finally {
        doubt();
      }
    }
    const askedAt = clock.monotonic();
    const { promise: taken, resolve, reject } = Promise.withResolvers<string[]>();
    let isTaken = false;
    const handingOn = withSlots(async () => {
      const finished = await store.finishAndHandOn(results, chance, agents, leaseSeconds);
      isTaken = true;
      if (finished.isMore) doubt();
      resolve(finished.taken);
      if (finished.claimed.length > 0) await handOut(finished.claimed, agents, askedAt);
    });
    handingOn.catch((error: unknown) => {
      doubt();
      // They were taken; what was claimed comes back as after a crash.
      if (isTaken) deps.logger.log("ERROR", "what became ready could not be handed on", { error: String(error) });
      else reject(error);
    });
    return await taken;
  }
  return {
    loop,
    finish,
    hear() {
      if (isTelling) return;
      doubt();
      loop.wake();
    },
    tellTaken() {
      isTelling = true;
      try {
        deps.hints.announce("tasks");
      } finally {
        isTelling = false;
      }
      if (!isDone()) loop.wake();
    },
    stop() {
      isStopped = true;
    },
  };
}
