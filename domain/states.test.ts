import fc from "../tests/helpers/fast_check.ts";
import { expect, it } from "vitest";
import { canMoveDeployment, DEPLOYMENT_STATES, isActive, isEnded } from "./deployment_state.ts";
import { parseDuration, parseSize } from "./duration.ts";
import { trustUntil } from "./lease_trust.ts";
import { matchTargets } from "./match_targets.ts";
import { reason, REASON_CODES } from "./reason.ts";
import { reconnectDelayMs } from "./reconnect_delay.ts";
import { retryDelaySeconds } from "./retry_delay.ts";
import { canMove, isFinal, statesWhere, statusOf, stepOf, TASK_STATES } from "./task_state.ts";

it("a final task state is left for no other", () => {
  for (const state of TASK_STATES.filter(isFinal)) expect(TASK_STATES.some((to) => canMove(state, to))).toBe(false);
  expect(TASK_STATES.filter(isFinal)).toEqual(["success", "failed", "cancelled", "skipped"]);
});

it("every task state is reached from blocked, and reaches an end", () => {
  const reach = new Set(["blocked"]);
  for (let i = 0; i < TASK_STATES.length; i++) {
    for (const to of TASK_STATES) if ([...reach].some((from) => canMove(from as never, to))) reach.add(to);
  }
  expect([...reach].sort()).toEqual([...TASK_STATES].sort());
});

it("a filter by step or status finds exactly the states that show it", () => {
  for (const state of TASK_STATES) {
    expect(statesWhere({ step: stepOf(state), status: statusOf(state) })).toContain(state);
  }
  expect(statesWhere({ step: "running" })).toEqual(["leased", "running", "cancelling"]);
});

it("a deployment is either editable, active or ended", () => {
  for (const s of DEPLOYMENT_STATES) {
    expect(Number(isActive(s)) + Number(isEnded(s)) + Number(s === "pending" || s === "awaiting_approval")).toBe(1);
  }
  expect(DEPLOYMENT_STATES.some((to) => canMoveDeployment("rolled_back", to))).toBe(false);
});

it("an agent stops trusting its lease before the master may pass it on", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1000, max: 600_000 }),
      fc.nat(10_000),
      (lease, sent) => trustUntil(sent, lease) < sent + lease,
    ),
  );
});

it("retries wait longer each time, within a minute; reconnects within half a minute", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (n, chance) => {
      const delay = retryDelaySeconds(n, chance);
      return delay > 0 && delay <= 60 && reconnectDelayMs(n, chance) <= 30_000;
    }),
    { examples: [[10, 0.00039111266788028546]] },
  );
});

it("agents that lost a master at once come back evenly, whenever it returns", () => {
  const agents = 1000;
  for (let awayMs = 600; awayMs < 60_000; awayMs += 700) {
    const back = Array.from({ length: agents }, (_, n) => {
      let at = 0;
      for (let failures = 0; at < awayMs; failures++) at += reconnectDelayMs(failures, n / agents);
      return at;
    });
    const [first, last] = [Math.min(...back), Math.max(...back)];
    const bins = Array<number>(10).fill(0);
    for (const at of back) bins[Math.min(9, Math.floor((at - first) / (last - first) * 10))]!++;
    expect(Math.max(...bins) / (agents / 10)).toBeLessThan(2.1);
    expect(last - awayMs).toBeLessThanOrEqual(awayMs < 25_000 ? 5_000 : 30_000);
  }
});

it("every reason says a sentence, with its parameters in place", () => {
  expect(reason("task.leased", { agent: "m1", attempt: 2 }).text).toBe("Handed to m1, attempt 2.");
  expect(new Set(REASON_CODES).size).toBe(REASON_CODES.length);
});

it.each([["30s", 30], ["1h30m", 5400], ["500ms", 0.5], ["5", undefined], ["", undefined], ["5 m", undefined]])(
  "the duration %s is %s seconds",
  (text, seconds) => expect(parseDuration(text)).toBe(seconds),
);
it.each([["512m", 536_870_912], ["10", 10], ["1t", undefined]])(
  "the size %s is %s bytes",
  (text, bytes) => expect(parseSize(text)).toBe(bytes),
);

const machines = [{ id: "1", name: "m1", labels: { role: "web" } }, { id: "2", name: "m2", labels: { role: "db" } }];
it("targets come by the environment's map first, then by name, then by label, else all", () => {
  const names = (...given: Parameters<typeof matchTargets> extends [unknown, ...infer R] ? R : never) =>
    matchTargets("a", ...given).chosen.map((m) => m.name);
  expect(names(machines, undefined)).toEqual(["m1", "m2"]);
  expect(names(machines, { labels: { role: "db" } })).toEqual(["m2"]);
  expect(names(machines, { names: ["m1"] })).toEqual(["m1"]);
  expect(names(machines, { names: ["m1", "m1"] })).toEqual(["m1"]);
  expect(names(machines, { names: ["m1"] }, ["m2"])).toEqual(["m2"]);
});
it("a cordoned machine is left out and named, and when there is no other, that is said", () => {
  const [m1, m2] = machines.map((m) => ({ ...m, cordoned: m.name === "m2" }));
  const { chosen, leftOut } = matchTargets("a", [m1!, m2!], undefined);
  expect([chosen, leftOut].map((list) => list.map((m) => m.name))).toEqual([["m1"], ["m2"]]);
  expect(() => matchTargets("a", [m1!, m2!], { labels: { role: "db" } })).toThrow(/a goes to is cordoned \(m2\)/);
});
it("a machine that is not there, and nowhere to run, are said by name", () => {
  expect(() => matchTargets("a", machines, { names: ["m9"] })).toThrow(/"m9".*m1, m2/);
  expect(() => matchTargets("a", [], undefined)).toThrow(/nowhere to run/);
  expect(() => matchTargets("a", machines, { labels: { role: "x" } })).toThrow(
    /labels role=x, so a has nowhere to run. It has m1 \(role=web\), m2 \(role=db\)/,
  );
});
