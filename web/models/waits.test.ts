import { describe, expect, it } from "vitest";
import type { Task } from "../../protocol/http_api.ts";
import { editableBatch, mayPromote, maySkip, readBatch, waitsOf } from "./waits.ts";

const task = (code: string, more: Partial<Task> = {}) =>
  ({
    id: code,
    type: "gate",
    status: "pending",
    step: "pending",
    payload: {},
    reason: { code, params: { until: "2030-01-01T00:00:10Z" }, text: "" },
    ...more,
  }) as unknown as Task;

describe("what a deployment waits for", () => {
  const watch = task("task.watching");
  const machine = task("task.waiting_for_machine");
  it("are waits that have begun and machines that are away, each with its end", () => {
    const over = task("task.watching", { status: "success" });
    const waits = waitsOf([watch, machine, over, task("task.ready")], "running");
    expect(waits.map((w) => [w.kind, w.until])).toEqual([
      ["watch", Date.parse("2030-01-01T00:00:10Z")],
      ["machine", Date.parse("2030-01-01T00:00:10Z")],
    ]);
    expect(waitsOf([watch], "paused")[0]!.until).toBeUndefined();
    expect(waitsOf([watch], "completed")).toEqual([]);
  });
  it("can be skipped by who may deploy, but nobody can make a machine come back", () => {
    const [one, other] = waitsOf([watch, machine], "running");
    expect([maySkip(one!, "deployer"), maySkip(one!, "viewer"), maySkip(other!, "admin")]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

it("a batch size can be edited while something of the application has not begun", () => {
  const parent = task("task.children_running", { payload: { batch: "25%" } });
  const part = (step: string) => task("x", { type: "apply", step } as Partial<Task>);
  expect(editableBatch(parent, [part("running"), part("blocked")], "running")).toBe("25%");
  expect(editableBatch(parent, [part("running")], "running")).toBeUndefined();
  expect(editableBatch(parent, [part("blocked")], "pending")).toBeUndefined();
  expect(editableBatch(task("y"), [part("blocked")], "running")).toBeUndefined();
});

it.each([["2", 2], [" 25% ", "25%"], ["100%", "100%"], ["0", undefined], ["101%", undefined], ["two", undefined]])(
  "%s is read as the batch size %s",
  (text, batch) => expect(readBatch(text)).toBe(batch),
);

it("a gate that is measured is a wait without an end of its own, and a promotion passes over it, not over a watch", () => {
  const [gate] = waitsOf([task("task.gate_measuring")], "running");
  expect([gate!.kind, gate!.until]).toEqual(["gate", undefined]);
  const watch = waitsOf([task("task.watching")], "running");
  expect([mayPromote([gate!], "deployer"), mayPromote([gate!], "viewer"), mayPromote(watch, "admin")]).toEqual([
    true,
    false,
    false,
  ]);
});
