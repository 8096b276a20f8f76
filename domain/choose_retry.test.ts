import { describe, expect, it } from "vitest";
import { chooseRetry } from "./choose_retry.ts";
import type { RetryTask } from "./choose_retry.ts";
import type { TaskState } from "./task_state.ts";

const task = (id: string, state: TaskState, dependsOn: string[] = [], more: Partial<RetryTask> = {}): RetryTask => ({
  id,
  state,
  dependsOn,
  parentId: null,
  maxFailures: 0,
  ...more,
});
const taken = (tasks: RetryTask[], only: string | null = null) => {
  const { reopened, unmet } = chooseRetry(tasks, only === null ? null : [only]);
  return Object.fromEntries([...reopened].sort().map((id) => [id, unmet.get(id)]));
};

describe("a retry of all", () => {
  it("takes up what failed, and lets what was skipped because of it wait again", () => {
    const tasks = [task("a", "failed"), task("b", "skipped", ["a"]), task("c", "success"), task("d", "skipped", ["c"])];
    expect(taken(tasks)).toEqual({ a: 0, b: 1, d: 0 });
  });

  it("leaves alone a failed part of a whole that succeeded in spite of it", () => {
    const part = { parentId: "p" };
    const tasks = [task("p", "success", [], { maxFailures: 1 }), task("m1", "failed", [], part), task("x", "failed")];
    expect(taken(tasks)).toEqual({ x: 0 });
  });

  it("makes those wait again that a tolerated failure had let go, as long as they have not begun", () => {
    const part = { parentId: "p" };
    const tasks = [
      task("p", "running", [], { maxFailures: 1 }),
      task("m1", "failed", [], part),
      task("m2", "pending", ["m1"], part),
    ];
    expect(chooseRetry(tasks, null).unmet.get("m2")).toBe(1);
  });
});

describe("a retry of one", () => {
  it("takes up nothing that would wait for ever on a failure that stays", () => {
    const tasks = [
      task("a", "failed"),
      task("b", "failed"),
      task("c", "skipped", ["a", "b"]),
      task("d", "skipped", ["b"]),
    ];
    expect(taken(tasks, "b")).toEqual({ b: 0, d: 1 });
  });

  it("counts a failure that stays as met when the whole tolerates it", () => {
    const part = { parentId: "p" };
    const tasks = [
      task("p", "failed", [], { maxFailures: 1 }),
      task("m1", "failed", [], part),
      task("m2", "failed", [], part),
      task("m3", "skipped", ["m1", "m2"], part),
    ];
    expect(taken(tasks, "m2")).toEqual({ m2: 0, m3: 1, p: 0 });
  });

  it("takes up no part of a whole that stays as it ended", () => {
    const part = { parentId: "p" };
    const tasks = [
      task("p", "failed"),
      task("m1", "failed", [], part),
      task("m2", "skipped", [], part),
      task("x", "failed"),
    ];
    expect(taken(tasks, "x")).toEqual({ x: 0 });
  });
});
