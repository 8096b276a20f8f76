import type { Listening } from "../../compose/http_server.ts";
import type { SchedulerDeps } from "../../scheduler/deps.ts";
import type { Scheduler } from "../../scheduler/scheduler.ts";
import type { TaskGraph } from "./task_graph.ts";
import type { World } from "./release.ts";

/** What runs in the scheduler's process of a bench. */
export interface MasterParts {
  deps: SchedulerDeps;
  scheduler: Scheduler;
  listening: Listening;
  world: World;
  /** For benches whose tasks no plan has. */
  graph?: TaskGraph;
  /** Called with each task whose result was accepted, when its acknowledgement leaves: after the commit. */
  onAccepted(call: ((taskId: string, at: number) => void) | undefined): void;
}
