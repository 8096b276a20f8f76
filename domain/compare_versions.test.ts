import { expect, it } from "vitest";
import { relate, whyNotOver } from "./compare_versions.ts";

const ancestry = (over: Partial<Parameters<typeof relate>[0]>) =>
  relate({
    candidateCommit: "b",
    currentCommit: "a",
    candidateContainsCurrent: false,
    currentContainsCandidate: false,
    ...over,
  });

it("a descendant is newer, an ancestor older, anything else diverged", () => {
  expect(ancestry({ candidateContainsCurrent: true })).toBe("newer");
  expect(ancestry({ currentContainsCandidate: true })).toBe("older");
  expect(ancestry({})).toBe("diverged");
  expect(ancestry({ currentCommit: "b" })).toBe("same");
});

it("only a newer or the same version goes over what an environment has", () => {
  expect(whyNotOver("newer", "v2", "v1")).toBeUndefined();
  expect(whyNotOver("same", "v2", "v1")).toBeUndefined();
  expect(whyNotOver("older", "v1", "v2")).toContain("older than v2");
  expect(whyNotOver("diverged", "x", "v2")).toContain("diverged from v2");
});
