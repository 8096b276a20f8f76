/** What differs from its version: judged again after deployments, and healed where the application asks for it. */
import { createAside } from "../db/aside.ts";
import { judgeAgain } from "../db/drift/find_drifted.ts";
import { healDrift } from "../db/drift/heal_drift.ts";
import type { SchedulerDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

/** A little longer than an agent needs to say what it sees. */
const SETTLE_SECONDS = 10;

export function createDriftLoop(deps: SchedulerDeps): Loop {
  const parts = createAside(deps, "a part of the drift loop");
  const heals = createAside(deps, "the healing of an application (environment, application, version)");
  return createLoop({
    name: "drift",
    sweepSeconds: deps.sweepSeconds,
    onlyLeader: deps.leadership,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      const settle = deps.driftSettleSeconds ?? SETTLE_SECONDS;
      if (await parts.attempt("judge", () => judgeAgain(deps.db, settle))) deps.hints.announce("events");
      await parts.attempt("heal", () => healDrift(deps, settle, heals));
    },
  });
}
