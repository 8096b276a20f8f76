/** What nobody is there for when its turn comes, and machines that are back: looked at by the leader, sweep by sweep. */
import { catchUp } from "../db/rollouts/catch_up.ts";
import { endUnclaimedHooks } from "../db/rollouts/end_unclaimed_hooks.ts";
import { settleMissing } from "../db/rollouts/settle_missing.ts";
import type { SchedulerDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

export function createRolloutLoop(deps: SchedulerDeps): Loop {
  /** Since when this master has led: agents of one that was away are still on their way back for a while. */
  let led: { term: number | undefined; since: number } | undefined;
  return createLoop({
    name: "rollout loop",
    sweepSeconds: deps.sweepSeconds,
    onlyLeader: deps.leadership,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      const [now, term] = [deps.clock.monotonic(), deps.leadership.term()];
      if (!led || led.term !== term) led = { term, since: now };
      const isSettled = now - led.since >= deps.restartGraceSeconds * 1000;
      const settled = isSettled && await settleMissing(deps.db);
      const ended = isSettled && await endUnclaimedHooks(deps.db);
      const made = await catchUp(deps);
      if (!settled && !ended && made === 0) return;
      deps.hints.announce("tasks");
      deps.hints.announce("events");
    },
  });
}
