import { describe, expect, it } from "vitest";
import { canMoveDeployment } from "./deployment_state.ts";
import { nextMove, rollUpParent } from "./roll_up.ts";

describe("rollUpParent", () => {
  it.each(
    [
      ["nothing begun, all waiting", { blocked: 3 }, 0, "blocked"],
      ["first parts ready", { blocked: 2, pending: 1 }, 0, "pending"],
      ["one begun", { blocked: 2, leased: 1 }, 0, "running"],
      ["one done, others waiting", { blocked: 2, success: 1 }, 0, "running"],
      ["a failure waits for what still runs", { failed: 1, running: 1 }, 0, "running"],
      ["failed once nothing runs", { failed: 1, skipped: 2 }, 0, "failed"],
      ["a tolerated failure", { failed: 1, success: 3 }, 1, "success"],
      ["more failures than tolerated", { failed: 2, success: 3 }, 1, "failed"],
      ["every part failed, all tolerated", { failed: 2 }, 2, "failed"],
      ["cancelled parts", { cancelled: 1, success: 1 }, 0, "cancelled"],
      ["never begun", { skipped: 2 }, 0, "skipped"],
      ["begun and then stopped", { success: 1, skipped: 1 }, 0, "skipped"],
    ] as const,
  )("%s", (_name, counts, maxFailures, expected) => {
    expect(rollUpParent(counts, maxFailures)).toBe(expected);
  });
});

it("keeps a parent running whose only part waits for another attempt", () => {
  expect(rollUpParent({ pending: 1, cancelled: 1 }, 0, "running")).toBe("running");
  expect(rollUpParent({ cancelled: 2 }, 0, "running")).toBe("cancelled");
});

describe("nextMove", () => {
  it.each(
    [
      ["running", { success: 1, running: 1 }, {}, "stop", "none"],
      ["running", { success: 2 }, {}, "stop", "complete"],
      ["running", { failed: 1, running: 1 }, {}, "rollback", "roll_back"],
      ["running", { failed: 1, running: 1 }, {}, "pause", "pause"],
      ["paused", { failed: 1, pending: 1 }, {}, "pause", "pause"],
      ["running", { failed: 1, pending: 1 }, {}, "stop", "stop"],
      ["running", { failed: 1, running: 1 }, {}, "stop", "none"],
      ["running", { failed: 1, pending: 1 }, {}, "continue", "none"],
      ["running", { failed: 1, success: 1 }, {}, "continue", "fail"],
      ["running", { cancelled: 1, success: 1 }, {}, "stop", "cancelled"],
      ["cancelling", { cancelling: 1 }, {}, "stop", "none"],
      ["cancelling", { cancelled: 1, success: 1 }, {}, "stop", "cancelled"],
      ["rolling_back", { failed: 1, cancelling: 1 }, {}, "rollback", "none"],
      ["rolling_back", { failed: 1 }, { pending: 1 }, "rollback", "none"],
      ["rolling_back", { failed: 1 }, { success: 2 }, "rollback", "rolled_back"],
      ["rolling_back", { failed: 1 }, { success: 1, failed: 1 }, "rollback", "rollback_failed"],
      ["rolling_back", { skipped: 1 }, {}, "rollback", "rolled_back"],
    ] as const,
  )("%s with %o and rollback %o under %s: %s", (status, forward, backward, onFailure, expected) => {
    expect(nextMove(status, forward, backward, onFailure, "pending" in forward ? 1 : 0)).toBe(expected);
  });

  it.each([["pause", "pause"], ["stop", "stop"], ["rollback", "none"], ["continue", "none"]] as const)(
    "a parent whose parts have failed beyond what it tolerates, and wait, under %s: %s",
    (onFailure, expected) => expect(nextMove("running", { running: 1 }, {}, onFailure, 1, 1)).toBe(expected),
  );

  it("completes also while it is paused, when the last work of it ends well", () => {
    expect(nextMove("paused", { success: 1 }, {}, "stop", 0)).toBe("complete");
    expect(canMoveDeployment("paused", "completed")).toBe(true);
  });
});
