/**
 * Free slots of connected agents -> claim in one statement -> task.dispatch.
 *
 *   woken by "tasks" (new work, a result, a freed slot) | sweep
 *     -> claim for all free slots -> dispatch -> again while work was claimed that several agents could have had
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

  return createLoop({
    name: "dispatch loop",
    sweepSeconds: deps.sweepSeconds,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      let again = true;
      while (again) {
        const askedAt = deps.clock.monotonic();
        const claimed = await deps.store.claimTasks(sessions.free(), deps.leaseSeconds);
        if (claimed.length === 0) return;
        // What is meant for one agent was all claimed, as far as its slots go.
        again = claimed.some((task) => task.isShared !== false);
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
