/**
 * The tasks of a modelled deployment and what they become through each other: who may begin, what a whole comes to, what
 * begins anew and what is left out. Nothing here asks what becomes of the deployment.
 */
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { TaskState } from "../../domain/task_state.ts";
import { HELD, isBad, isHeld, isOver, isVerdict, isWaiting, placeOf } from "./tree_task.ts";
import type { FailureAction, TreeTask } from "./tree_task.ts";

export abstract class TreeOfTasks {
  abstract status: DeploymentState;
  protected abstract onFailure: FailureAction;
  protected tasks = new Map<string, TreeTask>();

  all = () => [...this.tasks.values()].sort((a, b) => a.position - b.position);
  knows = (id: string) => this.tasks.has(id);
  get = (id: string) => this.tasks.get(id)!;
  partsOf = (whole: TreeTask) => this.all().filter((t) => t.parentId === whole.id);
  protected forward = () => this.all().filter((t) => !t.isRollback);
  protected wholeOf = (t: TreeTask) => t.parentId === null ? undefined : this.get(t.parentId);
  protected isWhole = (t: TreeTask) => this.partsOf(t).length > 0;
  private isTolerated = (t: TreeTask) =>
    t.state === "failed" && this.failuresBeside(t) <= (this.wholeOf(t)?.maxFailures ?? 0);
  private failuresBeside = (t: TreeTask) =>
    this.all().filter((o) => o.parentId === t.parentId && o.state === "failed").length;
  /** What has failed and can be decided about: of a whole, its parts. */
  failedOf = (id: string | null): TreeTask[] =>
    this.forward().filter((t) =>
      t.state === "failed" && !this.isWhole(t) && this.wholeOf(t)?.state !== "success" &&
      [null, t.id, t.parentId].includes(id)
    );

  /** Somebody watches over what this part has put in place. */
  isListenedTo(id: string): boolean {
    const part = this.get(id);
    const whole = this.wholeOf(part);
    const isWatched = whole && this.partsOf(whole).some((t) => t.isWatch && isWaiting(t));
    const listens = this.status === "running" || this.status === "paused";
    return Boolean(isWatched) && listens && !part.isRollback && part.state === "success" && !part.ignored;
  }
  /** What this part has put in place has turned bad. */
  protected condemn(part: TreeTask): void {
    const whole = this.wholeOf(part)!;
    // Nothing is tolerated any more, and who has not begun is spared.
    whole.maxFailures = 0;
    for (const other of this.partsOf(whole)) {
      if (isWaiting(other) && other.isWatch) other.blamed = placeOf(part);
      if (isWaiting(other)) other.state = other.isWatch ? "failed" : "skipped";
      else if (isHeld(other) && other.type === "gate") other.state = "cancelling"; // nothing is left to decide
    }
  }

  protected settle(): void {
    for (let changed = true; changed;) {
      changed = false;
      for (const whole of this.all().filter(this.isWhole)) if (this.isJudged(whole)) whole.maxFailures = 0;
      for (const task of this.all()) {
        const state = this.isWhole(task) ? this.rollUp(task) : this.wake(task);
        if (state === task.state) continue;
        task.state = state;
        changed = true;
      }
    }
  }
  /** What a whole tolerates are machines that fail, and no more of a canary step's than that step says. */
  private isJudged(whole: TreeTask): boolean {
    const failed = this.partsOf(whole).filter((p) => p.state === "failed");
    const ofStep = (f: TreeTask) => failed.filter((o) => o.step?.number === f.step!.number).length;
    return failed.some((f) => isVerdict(f) || (f.step !== null && ofStep(f) > f.step.maxFailures));
  }
  private wake(task: TreeTask): TaskState {
    if (task.state !== "blocked") return task.state;
    const before = task.dependsOn.map(this.get);
    // A rollback must always end: it waits for the others only so that the two never overlap.
    if (task.isRollback) return before.every(isOver) ? "pending" : "blocked";
    const isLeftOut = (d: TreeTask) => d.leftOut === true && d.parentId !== null;
    if (before.every((d) => d.state === "success" || isLeftOut(d) || this.isTolerated(d))) return "pending";
    const asks = this.onFailure === "pause" && (this.status === "running" || this.status === "paused");
    const dooms = (d: TreeTask) =>
      isOver(d) && d.state !== "success" && !isLeftOut(d) && !this.isTolerated(d) && !(asks && d.state === "failed");
    return before.some(dooms) ? "skipped" : "blocked";
  }
  private rollUp(whole: TreeTask): TaskState {
    const parts = this.partsOf(whole).filter((p) => !p.leftOut);
    const some = (...states: TaskState[]) => parts.some((p) => states.includes(p.state));
    const failures = parts.filter((p) => p.state === "failed").length;
    if (parts.every(isOver)) {
      if (failures > whole.maxFailures) return "failed";
      if (some("cancelled")) return "cancelled";
      if (failures > 0 && !some("success")) return "failed";
      return some("skipped") || !some("success") ? "skipped" : "success";
    }
    if (whole.state === "running" || some(...HELD, "success", "failed")) return "running"; // never back to waiting
    return some("pending") ? "pending" : "blocked";
  }

  protected takeUp(only: string | null): boolean {
    const tasks = this.forward();
    const again = tasks.filter((t) =>
      isBad(t) && !this.isWhole(t) && this.wholeOf(t)?.state !== "success" && [null, t.id, t.parentId].includes(only)
    );
    if (again.length === 0) return false;
    for (const task of again) task.state = "blocked";
    this.bringBackSkipped(tasks, again);
    // Whoever had been let go by a failure that is tried again waits once more.
    for (const task of tasks) if (isWaiting(task)) task.state = "blocked";
    return true;
  }
  /** Of what was skipped, all that can run again; while another failure stays, only what follows from the retried. */
  private bringBackSkipped(tasks: TreeTask[], again: TreeTask[]): void {
    const back = new Set(again);
    const wholes = () => tasks.filter((t) => this.isWhole(t) && this.partsOf(t).some((p) => back.has(p)));
    const stays = tasks.some((t) => isBad(t) && !this.isTolerated(t) && !wholes().includes(t));
    const skipped = tasks.filter((t) => t.state === "skipped" && !this.isWhole(t) && !t.leftOut);
    const follows = (t: TreeTask) =>
      t.dependsOn.some((d) => back.has(this.get(d)) || wholes().includes(this.get(d))) ||
      wholes().includes(this.wholeOf(t)!);
    if (!stays) skipped.forEach((t) => back.add(t));
    else {for (let size = -1; size !== back.size;) {
        size = back.size;
        for (const t of skipped) if (follows(t)) back.add(t);
      }}
    const mayEndWell = (t: TreeTask) =>
      back.has(t) || wholes().includes(t) || !isOver(t) || t.state === "success" || t.leftOut || this.isTolerated(t);
    const cannot = (t: TreeTask) => {
      const whole = this.wholeOf(t);
      return t.dependsOn.some((d) => !mayEndWell(this.get(d))) || (whole?.state === "success");
    };
    for (let size = -1; size !== back.size;) {
      size = back.size;
      for (const t of skipped) if (back.has(t) && cannot(t)) back.delete(t);
    }
    // A part that had been lost before a failure had it skipped begins anew, like what failed.
    const anew = (t: TreeTask) => ({ losses: 0, maxAttempts: Math.max(t.maxAttempts, t.attempt + 1) });
    for (const t of back) Object.assign(t, { state: "blocked", due: true, ...anew(t) });
  }
  protected leaveOut(machines: readonly (string | null)[]): void {
    const out = this.forward().filter((t) =>
      !this.isWhole(t) && isWaiting(t) && t.target !== null && machines.includes(t.target)
    );
    for (const task of out) {
      Object.assign(task, { state: "skipped", leftOut: true });
      // Who waited for it waits for what it waited for.
      for (const other of this.forward().filter((t) => t.dependsOn.includes(task.id) && isWaiting(t))) {
        other.dependsOn = [...new Set([...other.dependsOn.filter((d) => d !== task.id), ...task.dependsOn])];
      }
    }
    for (const whole of this.forward().filter(this.isWhole)) {
      const parts = this.partsOf(whole);
      if (!parts.some((p) => out.includes(p)) || !parts.filter((p) => p.target !== null).every((p) => p.leftOut)) {
        continue;
      }
      for (const wait of parts.filter((p) => p.target === null && isWaiting(p))) wait.state = "skipped";
    }
  }
  protected stop(task: TreeTask, waiting: "cancelled" | "skipped"): void {
    if (isWaiting(task)) task.state = waiting;
    else if (isHeld(task)) task.state = "cancelling";
  }
  protected endWaiting(how: "cancelled" | "skipped"): void {
    for (const task of this.forward()) if (!this.isWhole(task)) this.stop(task, how);
  }
}
