/**
 * Free slots of connected agents -> claim in one statement -> task.dispatch; and cancels on their way.
 *
 *   woken by "tasks" (new work, a result, a freed slot, a cancel) | sweep
 *     -> send cancels, claim for all free slots -> dispatch -> again while something was claimed and slots are free
 *
 * A crash between claim and dispatch leaves a leased task that its agent does not know: the agent's next hello, or the
 * end of the lease, gives it back.
 */
import { AppError } from "../domain/app_error.ts";
import type { ClaimedTask } from "../db/tasks/claim_tasks.ts";
import type { Dispatch } from "../protocol/agent_messages.ts";
import { Outcome } from "../protocol/operation.ts";
import type { Session, Sessions } from "./agent_sessions.ts";
import type { CoreDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

const CANCEL_GRACE_SECONDS = 10;

export function createDispatchLoop(deps: CoreDeps, sessions: Sessions): Loop {
  /** What cannot be prepared cannot be run: the task fails with the sentence, instead of waiting for its lease to end. */
  async function fail(task: ClaimedTask, session: Session, error: unknown): Promise<void> {
    session.held.delete(task.id);
    const message = error instanceof AppError
      ? error.message
      : `The master could not prepare this task: ${String(error)}`;
    deps.logger.log("ERROR", "a dispatch could not be prepared", { taskId: task.id, error: String(error) });
    const outcome = Outcome.parse({ status: "failed", code: "dispatch.failed", message });
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

  async function sendCancels(): Promise<void> {
    const connected = sessions.all();
    if (connected.length === 0) return;
    const wanted = await deps.store.readCancels(connected.map((s) => s.agentId));
    const keys = new Set(wanted.map((c) => `${c.id}:${c.fence}`));
    for (const { cancelsSent } of connected) for (const key of cancelsSent) if (!keys.has(key)) cancelsSent.delete(key);
    for (const cancel of wanted) {
      const session = sessions.byAgent(cancel.agentId);
      const key = `${cancel.id}:${cancel.fence}`;
      if (!session || session.cancelsSent.has(key)) continue;
      session.cancelsSent.add(key);
      session.send({
        type: "task.cancel",
        taskId: cancel.id,
        fence: cancel.fence,
        graceSeconds: CANCEL_GRACE_SECONDS,
        reason: cancel.reason,
      });
    }
    if (wanted.length > 0) deps.crashPoint("cancel_sent");
  }

  return createLoop({
    name: "dispatch loop",
    sweepSeconds: deps.sweepSeconds,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      const cancelling = sendCancels();
      while (true) {
        const askedAt = deps.clock.monotonic();
        const [claimed] = await Promise.all([
          deps.store.claimTasks(sessions.free(), deps.leaseSeconds),
          cancelling,
        ]);
        if (claimed.length === 0) return;
        deps.crashPoint("claimed");
        for (const [agentId, tasks] of Map.groupBy(claimed, (task) => task.agentId)) {
          // One that went away meanwhile: its next hello or the end of the lease gives the tasks back.
          const session = sessions.byAgent(agentId);
          if (session) await dispatchTo(session, tasks, askedAt);
        }
        deps.crashPoint("dispatched");
        deps.hints.announce("events");
      }
    },
  });
}
