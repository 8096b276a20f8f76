/** A task as the model of the tree has it, and what its states mean there. */
import type { TaskState } from "../../domain/task_state.ts";

export interface TreeTask {
  id: string;
  name: string;
  parentId: string | null;
  appId: string;
  target: string | null;
  position: number;
  isLeaf: boolean;
  /** `apply`, `hook`, `pause`, `gate`, `approval`, `deploy`, `rollback`. */
  type: string;
  /** A gate, in which a release is watched. */
  isWatch: boolean;
  /** Of a canary: which step it belongs to, and how many of that may fail. */
  step: { number: number; maxFailures: number } | null;
  isRollback: boolean;
  maxFailures: number;
  maxAttempts: number;
  dependsOn: string[];
  state: TaskState;
  attempt: number;
  losses: number;
  /** It may be handed out; false until a retry's delay is over. */
  due: boolean;
  /** A person left its machine out. */
  leftOut?: boolean;
  /** It failed and a person said to go on: nothing was put in place there that could turn bad. */
  ignored?: boolean;
}
export type Choice = "fail" | "retry" | "ignore" | "exclude" | "rollback";
export type FailureAction = "rollback" | "pause" | "stop" | "continue";
export type Ending = "success" | "failed" | "cancelled";

export const MAX_LOSSES = 5;
const WAITING: readonly TaskState[] = ["blocked", "pending"];
export const HELD: readonly TaskState[] = ["leased", "running", "cancelling"];
const OVER: readonly TaskState[] = ["success", "failed", "cancelled", "skipped"];
export const isWaiting = (t: TreeTask) => WAITING.includes(t.state);
export const isHeld = (t: TreeTask) => t.isLeaf && HELD.includes(t.state);
export const isOver = (t: TreeTask) => OVER.includes(t.state);
export const isBad = (t: TreeTask) => t.state === "failed" || t.state === "cancelled";
/** A verdict on the release: nothing of the kind is tolerated. Of a rollback, a hook may fail. */
export const isVerdict = (t: TreeTask) =>
  t.type === "gate" || t.type === "approval" || t.type === "rollback" || (t.type === "hook" && !t.isRollback);

/** An onFailure hook looks and tells; whatever goes back, or ends, waits for it. */
export const isFailureHook = (t: TreeTask) => t.isRollback && t.type === "hook" && t.parentId === null;

/** @returns for an application, all that come before it, however far */
export function appOrder(tasks: readonly TreeTask[], get: (id: string) => TreeTask): (appId: string) => Set<string> {
  const before = (appId: string, found = new Set<string>()): Set<string> => {
    for (const task of tasks.filter((t) => t.appId === appId)) {
      for (const { appId: next, isRollback } of task.dependsOn.map(get).filter((t) => !isFailureHook(t))) {
        if (next === appId || isRollback !== task.isRollback || found.has(next)) continue;
        before(next, found.add(next));
      }
    }
    return found;
  };
  return (appId) => before(appId);
}
