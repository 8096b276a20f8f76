/**
 * Free slots of connected agents -> claim in one statement -> task.dispatch; and cancels on their way.
 *
 *   woken by "tasks" (new work, a result, a freed slot, a cancel) | sweep
 *     -> send cancels -> claim for all free slots -> dispatch -> again while something was claimed and slots are free
 *
 * A crash between claim and dispatch leaves a leased task that its agent does not know: the agent's next hello, or the
 * end of the lease, gives it back.
 */
import { AppError } from "../domain/app_error.ts";
import { claimTasks } from "../db/tasks/claim_tasks.ts";
import type { ClaimedTask } from "../db/tasks/claim_tasks.ts";
import { finishTasks } from "../db/tasks/finish_tasks.ts";
import { readCancels } from "../db/tasks/read_cancels.ts";
import { Outcome } from "../protocol/operation.ts";
import type { Sessions } from "./agent_sessions.ts";
import type { SchedulerDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";
import { createDispatchMaker } from "./prepare_dispatch.ts";

const CANCEL_GRACE_SECONDS = 10;

export function createDispatchLoop(deps: SchedulerDeps, sessions: Sessions): Loop {
  const makeDispatch = createDispatchMaker(deps);

  async function dispatch(task: ClaimedTask): Promise<void> {
    const session = sessions.byAgent(task.agentId);
    if (!session) return; // it went away meanwhile: its next hello or the end of the lease gives the task back
    session.held.set(task.id, task.fence);
    try {
      session.send(await makeDispatch(task, session));
    } catch (error: unknown) {
      // What cannot be prepared cannot be run: the task fails with the sentence, instead of waiting for its lease to end.
      session.held.delete(task.id);
      const message = error instanceof AppError
        ? error.message
        : `The master could not prepare this task: ${String(error)}`;
      deps.logger.log("ERROR", "a dispatch could not be prepared", { taskId: task.id, error: String(error) });
      const outcome = Outcome.parse({ status: "failed", code: "dispatch.failed", message });
      await finishTasks(deps.db, [{ taskId: task.id, fence: task.fence, agentId: task.agentId, outcome }], deps.chance);
      deps.hints.announce("tasks"); // its end may have moved the deployment
      deps.hints.announce("events");
    }
  }

  async function sendCancels(): Promise<void> {
    const connected = sessions.all();
    if (connected.length === 0) return;
    const wanted = await readCancels(deps.db, connected.map((s) => s.agentId));
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
  }

  return createLoop({
    name: "dispatch loop",
    sweepSeconds: deps.sweepSeconds,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      await sendCancels();
      while (true) {
        const claimed = await claimTasks(deps.db, sessions.free(), deps.leaseSeconds);
        deps.crashPoint("claimed");
        for (const task of claimed) await dispatch(task);
        if (claimed.length === 0) return;
        deps.hints.announce("events");
      }
    },
  });
}
