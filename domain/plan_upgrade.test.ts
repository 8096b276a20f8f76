import { describe, expect, it } from "vitest";
import { compareReleases } from "./compare_releases.ts";
import { planUpgrade, QUIET_SECONDS } from "./plan_upgrade.ts";
import type { UpgradePlan, UpgradingAgent } from "./plan_upgrade.ts";
import { reason } from "./reason.ts";

const agent = (name: string, over: Partial<UpgradingAgent> = {}): UpgradingAgent => ({
  agentId: name,
  name,
  state: "waiting",
  reason: reason("upgrade.waiting"),
  wasAsked: false,
  quietSeconds: 1,
  connected: true,
  runs: "1.0.0",
  installed: true,
  ...over,
});
const done = { state: "succeeded", wasAsked: true, runs: "1.1.0" } as const;
const plan = (agents: UpgradingAgent[], over: Partial<UpgradePlan> = {}) => {
  const step = planUpgrade({ version: "1.1.0", downgrade: false, batch: 2, status: "running", agents, ...over });
  return {
    said: step.changes.map((c) => `${c.agentId} ${c.state} ${c.reason.code}`),
    end: step.end && `${step.end.status}: ${step.end.reason.text}`,
  };
};

describe("an upgrade of agents", () => {
  it("asks one machine first, and nobody else while it is at it", () => {
    expect(plan([agent("a"), agent("b")]).said).toEqual(["a asked upgrade.asked"]);
    expect(plan([agent("a", { state: "asked", wasAsked: true }), agent("b")])).toEqual({ said: [], end: undefined });
  });

  it("asks in batches after the first came back, the next batch when the whole one is back", () => {
    const first = agent("a", { state: "asked", wasAsked: true, runs: "1.1.0" });
    const rest = [agent("b"), agent("c"), agent("d")];
    expect(plan([first, ...rest]).said).toEqual([
      "a succeeded upgrade.succeeded",
      "b asked upgrade.asked",
      "c asked upgrade.asked",
    ]);
    const [b, c] = [agent("b", done), agent("c", { state: "asked", wasAsked: true })];
    expect(plan([agent("a", done), b, c, agent("d")]).said).toEqual([]);
  });

  it("counts one as upgraded only while it is connected with the version", () => {
    expect(plan([agent("a", { state: "asked", wasAsked: true, runs: "1.1.0", connected: false })]).said).toEqual([]);
  });

  it("ends at the first failure with its reason, and tells nobody else", () => {
    const failed = agent("a", {
      state: "failed",
      wasAsked: true,
      reason: reason("upgrade.agent_failed", { detail: "No room." }),
    });
    expect(plan([failed, agent("b")])).toEqual({
      said: ["b skipped upgrade.stopped"],
      end: "failed: Stopped at a: No room.",
    });
  });

  it("takes long silence for a failure, also of one that was asked before a person cancelled", () => {
    const silent = agent("a", { state: "asked", wasAsked: true, quietSeconds: QUIET_SECONDS + 1 });
    expect(plan([silent, agent("b")]).said).toEqual(["a failed upgrade.silent", "b skipped upgrade.stopped"]);
    expect(plan([silent], { status: "cancelled" })).toEqual({ said: ["a failed upgrade.silent"], end: undefined });
  });

  it("passes over who is away, not installed by the line, newer, or there already, and says why", () => {
    const agents = [
      agent("a", { connected: false }),
      agent("b", { installed: false }),
      agent("c", { runs: "1.2.0" }),
      agent("d", { runs: "1.1.0" }),
      agent("e"),
      agent("f"),
    ];
    expect(plan(agents).said).toEqual([
      "a skipped upgrade.offline",
      "b skipped upgrade.not_installed",
      "c skipped upgrade.newer",
      "d succeeded upgrade.already",
      "e asked upgrade.asked", // the first that is told, whoever was there already
    ]);
    expect(plan(agents, { downgrade: true }).said).toContain("c asked upgrade.asked");
  });

  it("is complete when everyone has ended", () => {
    expect(plan([agent("a", done), agent("b", { connected: false })])).toEqual({
      said: ["b skipped upgrade.offline"],
      end: "completed: 1 of 2 machines run 1.1.0.",
    });
  });
});

it("orders releases by their numbers, candidates before what they are candidates of", () => {
  const order = ["0.9.0", "0.10.0-rc.2", "0.10.0-rc.10", "0.10.0", "1.0.0"];
  expect([...order].reverse().sort(compareReleases)).toEqual(order);
  expect(compareReleases("1.0.0", "1.0.0")).toBe(0);
});
