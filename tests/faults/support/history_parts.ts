/** What a history is made of. */
import type { DeploymentState } from "../../../domain/deployment_state.ts";
import type { TaskState, TaskStatus } from "../../../domain/task_state.ts";
import type { LedgerLine } from "../../helpers/ledger_app.ts";

/** A row of the timeline: of a task, or of a deployment when `taskId` is null. */
export interface TaskEvent {
  id: number;
  at: string;
  taskId: string | null;
  deploymentId: string;
  /** `task.leased`, `deployment.completed`, ... */
  kind: string;
  reason: { code: string; params: Record<string, string | number>; text?: string };
}
export interface TaskView {
  id: string;
  deploymentId: string;
  parentId?: string | null;
  name?: string;
  status: TaskStatus | TaskState;
  attempt: number;
  fence: number;
  agentId?: string | null;
  leaseExpiresAt?: string | null;
  dependencies: string[];
  /** Of a whole: parts that may fail before it does. None when absent, as the API does not say it. */
  maxFailures?: number;
  /** Part of a rollback: waits for what was before it to end, however it ended. */
  isRollback?: boolean;
}
export interface DeploymentView {
  id: string;
  status: DeploymentState;
  startedAt: string | null;
  completedAt: string | null;
}

export interface History {
  ledger?: LedgerLine[];
  /** In the order in which they happened. */
  events?: TaskEvent[];
  /** Final state of every task, with dependencies. */
  tasks?: TaskView[];
  deployments?: DeploymentView[];
  logs?: { task: string; attempt: number; emitted: Uint8Array | string; stored: Uint8Array | string }[];
  memory?: { process: string; beforeBytes: number; peakBytes: number }[];
  /** I3 applies: to the attempts of each task, or to all that a key says exclude each other. */
  exclusive?: boolean | ((line: LedgerLine) => string);
  /** What was written too late; `before` and `after` are all that a stale write could have touched. */
  staleWrites?: { before: unknown; after: unknown; refused: number };
  /** I4: seconds from start to end of a deployment, 120 when absent. */
  boundSeconds?: number;
  /** I4: a paused deployment waits for a person, as this test wants it. */
  mayPause?: boolean;
}
