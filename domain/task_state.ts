/**
 * The life of a task. One list feeds Postgres (text + CHECK), the wire (z.enum), the guards and the badge.
 *
 *   blocked --deps done--> pending --claim--> leased --accept--> running --result--> success | failed
 *      |                      ^------ lease expired, attempts left ------'
 *      |                      |
 *      '--a dependency failed, the deployment stopped, or its machine is away for too long--> skipped
 *   any that is not final --cancel--> cancelling (an agent holds it) -> cancelled; or straight to cancelled (nobody does)
 *
 * Only a leaf is leased. A parent (an application with several targets) is rolled up from its children and goes
 * blocked -> pending -> running -> final without ever being leased. A crash leaves a row in leased, running or cancelling;
 * its lease ends by the database clock and the reaper moves it on.
 */
export const TASK_STATES = [
  "blocked",
  "pending",
  "leased",
  "running",
  "cancelling",
  "success",
  "failed",
  "cancelled",
  "skipped",
] as const;
export type TaskState = (typeof TASK_STATES)[number];

export const TASK_TYPES = ["deploy", "apply", "hook", "gate", "pause", "approval", "rollback"] as const;
export type TaskType = (typeof TASK_TYPES)[number];

/** `cancelling -> success`: the work was done before the word arrived; the truth of the agent wins. */
const NEXT: Record<TaskState, readonly TaskState[]> = {
  // `failed`: the watch over a release that turned bad before it was everywhere.
  blocked: ["pending", "failed", "cancelled", "skipped"],
  pending: ["leased", "running", "success", "failed", "cancelled", "skipped"],
  leased: ["running", "pending", "cancelling", "success", "failed", "cancelled"],
  running: ["pending", "cancelling", "success", "failed", "cancelled"],
  cancelling: ["success", "failed", "cancelled"],
  success: [],
  failed: [],
  cancelled: [],
  skipped: [],
};

export const canMove = (from: TaskState, to: TaskState): boolean => NEXT[from].includes(to);
export const isFinal = (state: TaskState): boolean => NEXT[state].length === 0;
/** States in which an agent holds the lease. */
export const HELD_STATES = ["leased", "running", "cancelling"] as const satisfies readonly TaskState[];
export const FINAL_STATES = TASK_STATES.filter(isFinal);

export const TASK_STEPS = ["pending", "blocked", "running", "completed"] as const;
export type TaskStep = (typeof TASK_STEPS)[number];
export const TASK_STATUSES = [
  "pending",
  "running",
  "success",
  "failed",
  "cancelling",
  "cancelled",
  "skipped",
] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

const SHOWN: Record<TaskState, { step: TaskStep; status: TaskStatus }> = {
  blocked: { step: "blocked", status: "pending" },
  pending: { step: "pending", status: "pending" },
  leased: { step: "running", status: "running" },
  running: { step: "running", status: "running" },
  cancelling: { step: "running", status: "cancelling" },
  success: { step: "completed", status: "success" },
  failed: { step: "completed", status: "failed" },
  cancelled: { step: "completed", status: "cancelled" },
  skipped: { step: "completed", status: "skipped" },
};
/** The two words the API has always used for a task. */
export const stepOf = (state: TaskState): TaskStep => SHOWN[state].step;
export const statusOf = (state: TaskState): TaskStatus => SHOWN[state].status;
/** The states behind a step or a status, for filters. */
export const statesWhere = (want: { step?: TaskStep; status?: TaskStatus }): TaskState[] =>
  TASK_STATES.filter((s) =>
    (!want.step || SHOWN[s].step === want.step) && (!want.status || SHOWN[s].status === want.status)
  );
