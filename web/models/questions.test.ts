import { describe, expect, it } from "vitest";
import type { Task } from "../../protocol/http_api.ts";
import { choicesFor, questionsOf } from "./questions.ts";

const task = (id: string, more: Partial<Task>) =>
  ({ id, parentId: null, status: "failed", type: "apply", payload: {}, ...more }) as Task;
const asks = {
  status: "paused",
  reason: { code: "deployment.paused_on_failure_until", params: {}, text: "" },
} as const;

describe("questions", () => {
  it("are about the parts that failed, not about their whole, nor about what a whole tolerated", () => {
    const tasks = [
      task("whole", {}),
      task("bad", { parentId: "whole" }),
      task("good", { parentId: "whole", status: "success" }),
      task("fine", { status: "success" }),
      task("tolerated", { parentId: "fine" }),
      task("alone", {}),
    ];
    expect(questionsOf(asks, tasks).map((one) => one.id)).toEqual(["bad", "alone"]);
    expect(questionsOf({ ...asks, reason: { ...asks.reason, code: "deployment.paused" } }, tasks)).toEqual([]);
  });
  it("offer only what fits", () => {
    expect(choicesFor(task("t", { payload: { target: { name: "m1" } } }))).toEqual([
      "retry",
      "ignore",
      "exclude",
      "fail",
    ]);
    expect(choicesFor(task("t", { type: "gate" }))).toEqual(["retry", "ignore", "fail"]);
    expect(choicesFor(task("t", { type: "approval" }))).toEqual(["retry", "fail"]);
  });
});
