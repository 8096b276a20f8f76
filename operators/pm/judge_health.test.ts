import { expect, it } from "vitest";
import { judgeHealth, UNJUDGED } from "./judge_health.ts";
import type { Judged } from "./judge_health.ts";

const RULE = { fall: 3, holdMs: 1000 };
type Look = Parameters<typeof judgeHealth>[1];
const look = (health: Look["health"], restarts = 0, trouble?: string): Look => ({
  health,
  details: { restarts, ...(trouble ? { trouble } : {}) },
});
/** One look per 100 ms. */
const judge = (looks: Look[], from: Judged = UNJUDGED) =>
  looks.reduce((judged, one, at) => judgeHealth(judged, one, RULE, at * 100), from).bad?.why;

it("turns bad when its checks fail `fall` times in a row, and not before", () => {
  const bad = look("degraded", 0, "GET /healthz answered 500");
  expect(judge([look("healthy"), bad, bad, look("healthy"), bad, bad])).toBeUndefined();
  expect(judge([look("healthy"), bad, bad, bad])).toBe("GET /healthz answered 500, 3 times in a row");
});
it("turns bad at once when it ends, comes back or stays down", () => {
  expect(judge([look("healthy", 2), look("healthy", 2)])).toBeUndefined(); // restarts of before are not its own
  expect(judge([look("healthy"), look("progressing", 1)])).toMatch(/ended and was started again/);
  expect(judge([look("healthy"), look("healthy", 1)])).toMatch(/ended and was started again/);
  expect(judge([look("healthy"), look("missing")])).toMatch(/not running/);
});
it("says the first reason for as long as it is bad, and is good again when it was good for long", () => {
  const [good, down, failing] = [look("healthy", 1), look("missing", 0), look("degraded", 1, "refused")];
  expect(judge([look("healthy"), down, good, failing, failing, failing])).toMatch(/not running/);
  expect(judge([look("healthy"), down, ...Array(9).fill(good)])).toMatch(/not running/);
  expect(judge([look("healthy"), down, ...Array(12).fill(good)])).toBeUndefined();
});
it("knows nothing of an application that nobody can see", () => {
  expect(judge(Array(9).fill(look("unknown")))).toBeUndefined();
});
