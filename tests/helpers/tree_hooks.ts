/** The onFailure hooks of a modelled deployment: once each application has failed, and its end waits for them. */
import { expect } from "vitest";
import { isFailureHook, isOver } from "./tree_task.ts";
import type { TreeTask } from "./tree_task.ts";

export type HooksOfFailure = ReadonlyMap<string, "once" | "each">;

export class FailureHooks {
  private planned = new Set<string>();
  /** Where one must be, until the database's are known. */
  private wanted: string[] = [];
  /** @param on application -> whether it runs once, or on each place that was reached */
  constructor(private on: HooksOfFailure) {}

  /** Of applications that have failed by now. An application that nothing was done for has none. */
  plan(tasks: readonly TreeTask[]): void {
    for (const top of tasks.filter((t) => t.parentId === null && !t.isRollback)) {
      const parts = tasks.filter((t) => t.parentId === top.id);
      const isFailed = top.state === "failed" || parts.filter((p) => p.state === "failed").length > top.maxFailures;
      const on = this.on.get(top.appId);
      if (!isFailed || on === undefined || this.planned.has(top.appId)) continue;
      const reached = [top, ...parts].filter((t) => t.isLeaf && t.attempt > 0);
      const places = on === "once"
        ? reached.slice(0, 1).map(() => null)
        : new Set(reached.filter((t) => t.type === "apply" || t.type === "deploy").map((t) => t.target));
      for (const place of places) {
        this.planned.add(top.appId);
        this.wanted.push(`${top.appId} ${place}`);
      }
    }
  }
  /** @returns those of the new rows that are hooks of a failure; they wait for nothing */
  adopt(rows: readonly TreeTask[]): TreeTask[] {
    const hooks = rows.filter(isFailureHook);
    expect(hooks.map((t) => `${t.appId} ${t.target}`).sort(), "who has failed has its hooks").toEqual(
      this.wanted.sort(),
    );
    this.wanted = [];
    return hooks.map((row) => ({ ...row, state: "pending" }));
  }
  areOpen = (tasks: readonly TreeTask[]) => this.wanted.length > 0 || tasks.some((t) => isFailureHook(t) && !isOver(t));
}
