/** What nobody is there for when its turn comes, and machines that are back: looked at by the leader, sweep by sweep. */
import { createAside } from "../db/aside.ts";
import { catchUp } from "../db/rollouts/catch_up.ts";
import { endPrepared } from "../db/rollouts/end_prepared.ts";
import { endUnclaimedHooks } from "../db/rollouts/end_unclaimed_hooks.ts";
import { settleMissing } from "../db/rollouts/settle_missing.ts";
import type { SchedulerDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

export function createRolloutLoop(deps: SchedulerDeps): Loop {
  const parts = createAside(deps, "a part of the rollout loop");
  const missing = createAside(deps, "a task whose machine is away");
  const hooks = createAside(deps, "a hook that no agent takes");
  const prepared = createAside(deps, "the end of what a cancelled deployment had prepared");
  const late = createAside(deps, "the catching up of a machine (a task that it was left out of)");
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
      const settled = isSettled && await parts.attempt("missing", () => settleMissing(deps.db, missing));
      const ended = isSettled && await parts.attempt("hooks", () => endUnclaimedHooks(deps.db, hooks));
      const made = await parts.attempt("late", () => catchUp(deps, late));
      const cleaned = await parts.attempt("prepared", () => endPrepared(deps.db, prepared));
      if (!settled && !ended && !made && !cleaned) return;
      deps.hints.announce("tasks");
      deps.hints.announce("events");
    },
  });
}
