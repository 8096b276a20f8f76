/** The safety net: ends leases that nobody renewed, ends waits, starts what could not start before. Sweeps by the clock. */
import { createAside } from "../db/aside.ts";
import { startWaiting } from "../db/deployments/start_waiting.ts";
import { endPauses } from "../db/tasks/end_pauses.ts";
import type { CoreDeps, SchedulerDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

export function createReapLoop(deps: CoreDeps): Loop {
  let isReturn = true;
  const aside = createAside(deps, "the end of a task's lease");
  return createLoop({
    name: "reaper",
    // A lease without a sweep is taken for a master that was away, which puts every end off: so several in each lease.
    sweepSeconds: Math.min(deps.sweepSeconds, deps.leaseSeconds / 3),
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      const lost = await deps.store.reapTasks({
        leaseSeconds: deps.leaseSeconds,
        graceSeconds: deps.restartGraceSeconds,
        isReturn,
        chance: deps.chance,
        aside,
      });
      isReturn = false;
      if (lost === 0) return;
      deps.logger.log("WARN", "leases ended without a renewal", { tasks: lost });
      deps.hints.announce("tasks");
      deps.hints.announce("events");
      return 0; // a batch has a bound; the rest does not wait for the next sweep
    },
  });
}

/** Every end of a task may have begun a wait, and thousands may end in a second: it looks at all of them together. */
const TIMER_REST_SECONDS = 0.25;

/** pause tasks that are due, and deployments that wait for others: woken by "tasks", and by the next due instant. */
export function createTimerLoop(deps: SchedulerDeps): Loop {
  const parts = createAside(deps, "a part of the timer loop");
  const pauses = createAside(deps, "the end of a wait");
  const starts = createAside(deps, "the start of a deployment");
  return createLoop({
    name: "timer loop",
    sweepSeconds: deps.sweepSeconds,
    restSeconds: TIMER_REST_SECONDS,
    onlyLeader: deps.leadership,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      const over = await parts.attempt("waits", () => endPauses(deps.db, pauses));
      await parts.attempt("starts", () => startWaiting(deps, undefined, starts));
      if (over && over.ended > 0) {
        deps.hints.announce("tasks");
        deps.hints.announce("events");
      }
      return over?.nextInSeconds ?? undefined;
    },
  });
}
