/**
 * What agents hold and somebody wants stopped -> task.cancel, once per session and lease.
 *
 *   woken by "tasks", among much else -> a look for all agents of this master -> rest
 *
 * A crash leaves the tasks `cancelling`: the agents' next sessions are told anew.
 */
import type { Sessions } from "./agent_sessions.ts";
import type { CoreDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

const CANCEL_GRACE_SECONDS = 10;
/** Every result wakes it, and thousands may come in a second: it looks for all of them together. */
const REST_SECONDS = 0.1;

export function createCancelLoop(deps: CoreDeps, sessions: Sessions): Loop {
  return createLoop({
    name: "cancel loop",
    sweepSeconds: deps.sweepSeconds,
    restSeconds: REST_SECONDS,
    clock: deps.clock,
    logger: deps.logger,
    wokenBy: { hints: deps.hints, topic: "tasks" },
    async run() {
      const connected = sessions.all();
      if (connected.length === 0) return;
      const wanted = await deps.store.readCancels(connected.map((s) => s.agentId));
      const keys = new Set(wanted.map((c) => `${c.id}:${c.fence}`));
      for (const { cancelsSent } of connected) {
        for (const key of cancelsSent) if (!keys.has(key)) cancelsSent.delete(key);
      }
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
    },
  });
}
