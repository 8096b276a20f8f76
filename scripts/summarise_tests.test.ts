import { describe, expect, it } from "vitest";
import { describeSummary, type Report, summariseTests } from "./summarise_tests.ts";

const file = (status: string, ...tests: [string, string][]): Report["testResults"][number] => ({
  name: "some.test.ts",
  status,
  assertionResults: tests.map(([fullName, status]) => ({ fullName, status })),
});

describe("the last lines of a test run", () => {
  it("name what was skipped, by its reason, and end with the counts alone", () => {
    const summary = summariseTests({
      success: true,
      testResults: [
        file("passed", ["a works", "passed"], ["bridge [needs redis-server] answers", "skipped"]),
        file("passed", ["bridge [needs redis-server] ends", "pending"], ["later", "todo"]),
      ],
    });
    expect(describeSummary(summary).split("\n")).toEqual([
      "Skipped, because this machine lacks redis-server:",
      "  bridge answers",
      "  bridge ends",
      "Skipped, because the test says so itself:",
      "  later",
      "1 passed, 0 failed, 3 skipped",
    ]);
  });

  it("count a file that did not load as a failure, and one with failed tests only by its tests", () => {
    const summary = summariseTests({
      success: false,
      testResults: [file("failed"), file("failed", ["b", "failed"], ["c", "passed"])],
    });
    expect(describeSummary(summary)).toBe("1 passed, 2 failed, 0 skipped");
  });

  it("count an error outside of any test", () => {
    const summary = summariseTests({ success: false, testResults: [file("passed", ["a", "passed"])] });
    expect(describeSummary(summary)).toBe("1 passed, 1 failed, 0 skipped");
  });
});
