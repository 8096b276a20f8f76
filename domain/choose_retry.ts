/**
 * What a person's "try again" takes up: what failed or was cancelled, and of what was skipped everything that can run
 * because of it. Nothing is taken up that would wait for ever on a failure that stays.
 */
import { isFinal } from "./task_state.ts";
import type { TaskState } from "./task_state.ts";

export interface RetryTask {
  id: string;
  parentId: string | null;
  state: TaskState;
  /** Of a parent: parts that may fail while what follows them goes on. */
  maxFailures: number;
  /** Skipped because its machine was away: it catches up by itself, and nobody waits for it. */
  isLeftOut?: boolean;
  dependsOn: readonly string[];
}
export interface Retry {
  /** Failed and cancelled leaves that get another attempt. */
  again: Set<string>;
  /** All that leaves its final state: these, what was skipped, and the parents of both. */
  reopened: Set<string>;
  /** How much each task that has not begun waits for from now on. */
  unmet: Map<string, number>;
}

/** @param only leaves, and parents for all their parts; null for all that failed */
export function chooseRetry(tasks: readonly RetryTask[], only: readonly string[] | null): Retry {
  const byId = new Map(tasks.map((t) => [t.id, t]));
  const parents = new Set(tasks.flatMap((t) => t.parentId ?? []));
  const wholeOf = (t: RetryTask) => t.parentId === null ? undefined : byId.get(t.parentId);
  const isBad = (t: RetryTask) => t.state === "failed" || t.state === "cancelled";

  // A part of a whole that succeeded failed within what that tolerates: the whole has ended, and nothing waits for it.
  const again = new Set(
    tasks.filter((t) =>
      isBad(t) && !parents.has(t.id) && wholeOf(t)?.state !== "success" &&
      (only === null || only.includes(t.id) || (t.parentId !== null && only.includes(t.parentId)))
    ).map((t) => t.id),
  );
  const reopened = new Set(again);
  for (const id of again) {
    const whole = wholeOf(byId.get(id)!);
    if (whole && isFinal(whole.state)) reopened.add(whole.id);
  }

  /** Failures of the whole that stay, if that is no more than it tolerates. */
  const isTolerated = (t: RetryTask) => {
    const whole = wholeOf(t);
    if (t.state !== "failed" || !whole) return false;
    const stay = tasks.filter((o) => o.parentId === whole.id && o.state === "failed" && !again.has(o.id));
    return stay.length <= whole.maxFailures;
  };
  const isMet = (id: string) => {
    const t = byId.get(id)!;
    return !reopened.has(id) && (t.state === "success" || t.isLeftOut === true || isTolerated(t));
  };
  const mayEndWell = (id: string) => isMet(id) || reopened.has(id) || !isFinal(byId.get(id)!.state);

  const failureStays = tasks.some((t) => isBad(t) && !reopened.has(t.id) && !isTolerated(t));
  const skipped = tasks.filter((t) => t.state === "skipped" && !t.isLeftOut);
  if (failureStays) takeFollowers(skipped, byId, reopened);
  else for (const t of skipped) reopened.add(t.id);
  // Again until nothing changes: what waits for something that stays as it is stays too.
  for (let changed = true; changed;) {
    changed = false;
    for (const t of skipped) {
      if (!reopened.has(t.id)) continue;
      const whole = wholeOf(t);
      const stays = t.dependsOn.some((d) => !mayEndWell(d)) ||
        (whole && isFinal(whole.state) && !reopened.has(whole.id)) ||
        (parents.has(t.id) && !tasks.some((c) => c.parentId === t.id && reopened.has(c.id)));
      if (stays) changed = reopened.delete(t.id);
    }
  }

  const unmet = new Map(
    tasks.filter((t) => reopened.has(t.id) || t.state === "blocked" || t.state === "pending").map((t) => [
      t.id,
      t.dependsOn.filter((d) => !isMet(d)).length,
    ]),
  );
  return { again, reopened, unmet };
}

/** While another failure stays, only what waited for the retried ones, or is a part with them, is worth taking up. */
function takeFollowers(skipped: readonly RetryTask[], byId: Map<string, RetryTask>, reopened: Set<string>): void {
  for (let changed = true; changed;) {
    changed = false;
    for (const t of skipped) {
      if (reopened.has(t.id)) continue;
      const whole = t.parentId === null ? undefined : byId.get(t.parentId);
      if (t.dependsOn.some((d) => reopened.has(d)) || (whole && reopened.has(whole.id))) {
        reopened.add(t.id);
        changed = true;
      }
    }
  }
}
