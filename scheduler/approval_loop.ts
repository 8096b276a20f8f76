/** Requests for approval that nobody answered in time: the leader does what their rule says then. */
import { createAside } from "../db/aside.ts";
import { expireApprovals } from "../db/approvals/expire_approvals.ts";
import type { DeploymentDeps } from "../db/deployments/load_plan.ts";
import type { SchedulerDeps } from "./deps.ts";
import { createLoop } from "./loop.ts";
import type { Loop } from "./loop.ts";

type Deps = DeploymentDeps & Pick<SchedulerDeps, "clock" | "logger" | "leadership" | "sweepSeconds">;

export function createApprovalLoop(deps: Deps): Loop {
  const aside = createAside(deps, "the expiry of an approval");
  return createLoop({
    name: "approval loop",
    sweepSeconds: deps.sweepSeconds,
    onlyLeader: deps.leadership,
    clock: deps.clock,
    logger: deps.logger,
    async run() {
      const { ended, nextInSeconds } = await expireApprovals(deps, aside);
      if (ended > 0) {
        deps.hints.announce("tasks");
        deps.hints.announce("events");
      }
      return nextInSeconds ?? undefined;
    },
  });
}
