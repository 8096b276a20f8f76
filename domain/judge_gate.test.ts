import { describe, expect, it } from "vitest";
import { judgeGate, judgeSamples, timingOf } from "./judge_gate.ts";
import type { GateProgress, Measured, MeasuredGate } from "./judge_gate.ts";

const NOW = new Date("2026-11-22T10:00:00Z");
const errors: MeasuredGate = { prometheus: "errors", max: 0.01, every: "1m", for: "5m" };
const pass: Measured = { verdict: "pass", value: 0.001, note: "0.001" };
const fail: Measured = { verdict: "fail", value: 0.4, note: "0.4" };
const nothing: Measured = { verdict: "no_data", value: null, note: "the query has no result" };
const away: Measured = { verdict: "error", value: null, note: "it cannot be reached" };

/** Judges one after another and tells how it ended: after how many, and in what. */
function run(gate: MeasuredGate, measured: Measured[]) {
  let progress: GateProgress = { passed: 0, missed: 0 };
  for (const [index, one] of measured.entries()) {
    const judged = judgeGate(gate, progress, one, NOW);
    if (judged.state !== "pending") return { after: index + 1, state: judged.state, code: judged.reason.code };
    progress = judged.progress;
  }
  return { after: measured.length, state: "pending", passed: progress.passed };
}
const many = (count: number, one: Measured) => Array.from({ length: count }, () => one);

describe("a gate", () => {
  it("passes when it held at both ends of its window and every so often between", () => {
    expect(run(errors, many(9, pass))).toEqual({ after: 6, state: "success", code: "task.gate_passed" });
    expect(run({ ...errors, for: undefined }, [pass])).toMatchObject({ after: 1, state: "success" });
    expect(run({ prometheus: "x", max: 1, for: "30s" }, many(9, pass))).toMatchObject({ after: 2, state: "success" });
    expect(run({ ...errors, every: "2m" }, many(9, pass))).toMatchObject({ after: 4, state: "success" });
  });

  it("fails at once when it does not hold, however long it held before", () => {
    expect(run(errors, [...many(5, pass), fail])).toEqual({ after: 6, state: "failed", code: "task.gate_failed" });
    expect(run({ ...errors, noData: "pass" }, [fail])).toMatchObject({ after: 1, state: "failed" });
  });

  it("takes no data for a failure unless it is told otherwise", () => {
    expect(run(errors, [pass, nothing])).toEqual({ after: 2, state: "failed", code: "task.gate_no_data" });
    expect(run(errors, [away])).toMatchObject({ after: 1, state: "failed", code: "task.gate_no_data" });
    expect(run({ ...errors, noData: "pass" }, many(9, nothing))).toMatchObject({ after: 6, state: "success" });
  });

  it("waits for data with a bound, and counts only what it has seen", () => {
    const waiting: MeasuredGate = { ...errors, noData: "wait" };
    expect(run(waiting, many(20, nothing))).toEqual({ after: 6, state: "failed", code: "task.gate_no_data_long" });
    expect(run(waiting, [...many(5, nothing), ...many(6, pass)])).toMatchObject({ after: 11, state: "success" });
    expect(run(waiting, [...many(5, nothing), pass, ...many(5, nothing)])).toEqual({
      after: 11,
      state: "pending",
      passed: 1,
    });
    const judged = judgeGate(waiting, { passed: 0, missed: 1 }, nothing, NOW);
    expect(judged.reason.text).toContain("Waits for data until 2026-11-22T10:04:00Z.");
  });

  it("never passes for a server that is away, also where no data would pass", () => {
    const lenient: MeasuredGate = { ...errors, noData: "pass" };
    expect(run(lenient, many(5, away))).toEqual({ after: 5, state: "pending", passed: 0 });
    expect(run(lenient, many(20, away))).toMatchObject({ state: "failed", code: "task.gate_no_data_long" });
  });

  it("tells the value, what is wanted, and until when it goes on", () => {
    expect(judgeGate(errors, { passed: 0, missed: 0 }, pass, NOW).reason.text).toBe(
      "Measured 0.001; wanted: at most 0.01. 1 of 6 measurements passed; goes on until 2026-11-22T10:05:00Z.",
    );
    expect(judgeGate(errors, { passed: 2, missed: 0 }, fail, NOW).reason.text)
      .toBe("Measured 0.4; wanted: at most 0.01.");
  });

  it("is measured once a minute unless told, and never more than once a second", () => {
    expect(timingOf({ prometheus: "x", max: 1 })).toMatchObject({ everySeconds: 60, needed: 1 });
    expect(timingOf({ prometheus: "x", max: 1, every: "10ms", for: "5s" })).toMatchObject({
      everySeconds: 1,
      needed: 6,
    });
  });
});

describe("of several samples", () => {
  const of = (...values: number[]) => values.map((value, i) => ({ value, name: `pod=${i}` }));
  it("the worst counts", () => {
    expect(judgeSamples({ max: 1 }, of(0.1, 3, 0.2))).toEqual({
      verdict: "fail",
      value: 3,
      note: "3, the worst of 3: pod=1",
    });
    expect(judgeSamples({ min: 1 }, of(5, 0.5, 9))).toMatchObject({ verdict: "fail", value: 0.5 });
    expect(judgeSamples({ min: 0, max: 10 }, of(5, 9, 2))).toMatchObject({ verdict: "pass", value: 9 });
    expect(judgeSamples({ min: 0, max: 10 }, of(5, 11, -9))).toMatchObject({ verdict: "fail", value: -9 });
  });

  it("what is no number is no data, and what has no end is kept in words", () => {
    expect(judgeSamples({ max: 1 }, [])).toMatchObject({ verdict: "no_data" });
    expect(judgeSamples({ max: 1 }, of(NaN))).toMatchObject({ verdict: "no_data", value: null });
    expect(judgeSamples({ max: 1 }, of(NaN, 0.5))).toMatchObject({ verdict: "pass", value: 0.5 });
    expect(judgeSamples({ max: 1 }, of(Infinity))).toEqual({ verdict: "fail", value: null, note: "+Inf" });
  });
});
