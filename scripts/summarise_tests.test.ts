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
    expect(describeSummary(summary).split("\n")).toEqual([
      "Failed:",
      "  some.test.ts",
      "    ",
      "  some.test.ts: b",
      "    ",
      "1 passed, 2 failed, 0 skipped",
    ]);
  });

  it("name what passed at a second look, and say again what failed, in its first lines", () => {
    const long = Array.from({ length: 40 }, (_, n) => `line ${n}`).join("\n");
    const summary = summariseTests({
      success: false,
      testResults: [{
        name: "/a/b/c.test.ts",
        status: "failed",
        assertionResults: [
          { fullName: "slow", status: "passed", failureMessages: ["the end did not come about within 60 s"] },
          { fullName: "wrong", status: "failed", failureMessages: [long] },
        ],
      }],
    });
    const said = describeSummary(summary);
    expect(said).toContain("second look, because they did not come in time:\n  b/c.test.ts: slow\n    the end did not");
    expect(said).toContain("Failed:\n  b/c.test.ts: wrong\n    line 0\n");
    expect(said).not.toContain("line 12");
    expect(said.split("\n").at(-1)).toBe("1 passed, 1 failed, 0 skipped");
  });

  it("count an error outside of any test", () => {
    const summary = summariseTests({ success: false, testResults: [file("passed", ["a", "passed"])] });
    expect(describeSummary(summary)).toBe("1 passed, 1 failed, 0 skipped");
  });
});
