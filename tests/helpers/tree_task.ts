/** A task as the model of the tree has it, and what its states mean there. */
import type { TaskState } from "../../domain/task_state.ts";

export interface TreeTask {
  id: string;
  name: string;
  parentId: string | null;
  appId: string;
  /** The agent that must do it, and the machine that it is for. */
  target: string | null;
  machine: string | null;
  position: number;
  isLeaf: boolean;
  /** `apply`, `hook`, `pause`, `gate`, `approval`, `deploy`, `rollback`. */
  type: string;
  /** A gate, in which a release is watched. */
  isWatch: boolean;
  /** Of a canary: which step it belongs to, and how many of that may fail. */
  step: { number: number; maxFailures: number } | null;
  /** Of a machine's part: equal for those that go at once. */
  batch: number | null;
  /** When it has ended well, its machine has the release for good: nothing more is to come there. */
  arrives: boolean;
  /** Of an approval: so many people must say yes. */
  needed: number;
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
  /** A person has passed over it: when its turn comes it ends by itself. */
  promoted?: boolean;
  /** Of a watch that failed: the machine where the release turned bad. */
  blamed?: string | null;
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
/** A wait, or a measurement, that a person can end: also one that an agent makes just now. */
export const isBegunWait = (t: TreeTask) =>
  !t.isRollback && (["pause", "gate"].includes(t.type) && t.state === "pending" ||
    t.type === "gate" && (t.state === "leased" || t.state === "running"));
export const placeOf = (t: TreeTask) => `${t.appId} ${t.target}`;
/** Something is put in place by it: hooks, gates and waits change none. */
export const changesPlace = (t: TreeTask) => t.isLeaf && (t.type === "apply" || t.type === "deploy");
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
