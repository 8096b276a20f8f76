/** What nobody is there for when its turn comes, and machines that are back: looked at by the leader, sweep by sweep. */
import { createAside } from "../db/aside.ts";
import { catchUp } from "../db/rollouts/catch_up.ts";
import { endPrepared } from "../db/rollouts/end_prepared.ts";
import { endUnclaimedHooks } from "../db/rollouts/end_unclaimed_hooks.ts";
import { settleMissing } from "../db/rollouts/settle_missing.ts";
import { isGrace } from "../db/restart_grace.ts";
import type { SchedulerDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

export function createRolloutLoop(deps: SchedulerDeps): Loop {
  const parts = createAside(deps, "a part of the rollout loop");
  const missing = createAside(deps, "a task whose machine is away");
  const hooks = createAside(deps, "a hook that no agent takes");
  const prepared = createAside(deps, "the end of what a cancelled deployment had prepared");
  const late = createAside(deps, "the catching up of a machine (a task that it was left out of)");
  /** The terms of this master: the last one that it began, and the last one whose grace it saw over. */
  let begun: number | undefined;
  let settledIn: number | undefined;
  /** Agents of a leader that was away are on their way back for a while. */
  async function isSettled(term: number): Promise<boolean> {
    if (settledIn === term) return true;
    const isReturn = begun !== term;
    const isOn = await isGrace(deps.db, "rollouts", {
      graceSeconds: deps.restartGraceSeconds,
      // The lead may take half a lease to pass on. Within a term a long time between two looks is only a slow one.
      awaySeconds: isReturn ? 2 * deps.leaseSeconds : undefined,
      isReturn,
    });
    begun = term;
    if (!isOn) settledIn = term;
    return !isOn;
  }
  return createLoop({
    name: "rollout loop",
    sweepSeconds: deps.sweepSeconds,
    onlyLeader: deps.leadership,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      const term = deps.leadership.term();
      if (term === undefined) return;
      const isOver = await isSettled(term);
      const settled = isOver && await parts.attempt("missing", () => settleMissing(deps.db, missing));
      const ended = isOver && await parts.attempt("hooks", () => endUnclaimedHooks(deps.db, hooks));
      const made = await parts.attempt("late", () => catchUp(deps, late));
      const cleaned = await parts.attempt("prepared", () => endPrepared(deps.db, prepared));
      if (settled || ended || made || cleaned) {
        deps.hints.announce("tasks");
        deps.hints.announce("events");
      }
      // By the next leader, a longer time without a look would be taken for one without a leader.
      if (!isOver) return deps.leaseSeconds;
    },
  });
}
