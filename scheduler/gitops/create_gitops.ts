/** Everything between a push and its deployments, as one part of a process. */
import { createApprovalLoop } from "../approval_loop.ts";
import { createBuildLoop } from "../build_loop.ts";
import { createDeliveryLoop } from "../delivery_loop.ts";
import { createGateLoop } from "../gate_loop.ts";
import { createPollLoop } from "../poll_loop.ts";
import { createSourceLoop } from "../source_loop.ts";
import { createTriggerLoop } from "../trigger_loop.ts";
import { createStatusLoop } from "../status_loop.ts";
import type { StatusDeps } from "../status_loop.ts";

export interface Gitops {
  start(): void;
  /** Waits for the work that is under way. */
  stop(): Promise<void>;
}

export function createGitops(deps: StatusDeps): Gitops {
  const loops = [
    createBuildLoop(deps),
    createDeliveryLoop(deps),
    createPollLoop(deps),
    createGateLoop(deps),
    createApprovalLoop(deps),
    createSourceLoop(deps),
    createTriggerLoop(deps),
    createStatusLoop(deps),
  ];
  return {
    start() {
      for (const loop of loops) loop.start();
    },
    async stop() {
      for (const loop of [...loops].reverse()) await loop.stop();
    },
  };
}
