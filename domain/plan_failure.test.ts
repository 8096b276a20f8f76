import { describe, expect, it } from "vitest";
import { planFailure } from "./plan_failure.ts";
import type { StrategyInput } from "./strategy.ts";

const plan = (wishes: (StrategyInput["onFailure"] | undefined)[], ranBefore = true, deadline?: string) =>
  planFailure(wishes.map((onFailure) => ({ onFailure })), ranBefore, deadline);
const ASKS_NOBODY = { askSeconds: null, askDefault: null };

describe("what a deployment does on a failure", () => {
  it("goes back to what ran before, or stops where nothing did, when nothing is written", () => {
    expect(plan([undefined])).toEqual({
      onFailure: "rollback",
      rollbackScope: "deployment",
      rollbackSeconds: 1800,
      ...ASKS_NOBODY,
    });
    expect(plan([undefined], false).onFailure).toBe("stop");
  });
  it("follows the strictest wish: a rollback that asks nobody, then the question, then the stop", () => {
    const ask = { action: "pause" } as const;
    expect(plan([{ action: "continue" }, { action: "stop" }]).onFailure).toBe("stop");
    expect(plan([{ action: "stop" }, ask]).onFailure).toBe("pause");
    expect(plan([ask, { action: "rollback" }])).toMatchObject({ onFailure: "rollback", ...ASKS_NOBODY });
  });
  it("asks first where askFor stands, and answers itself with what was wished", () => {
    expect(plan([{ action: "pause" }])).toMatchObject({ onFailure: "pause", ...ASKS_NOBODY });
    expect(plan([{ action: "rollback", askFor: "10m" }])).toMatchObject({
      onFailure: "pause",
      askSeconds: 600,
      askDefault: "rollback",
    });
    expect(plan([{ action: "stop", askFor: "10m" }, { action: "pause", askFor: "5m", default: "ignore" }]))
      .toMatchObject({ askSeconds: 300, askDefault: "ignore" });
    expect(plan([{ action: "pause", askFor: "5m" }]).askDefault).toBe("fail");
  });
  it("gives a rollback the shortest deadline of all, the environment's included", () => {
    expect(plan([{ action: "rollback", deadline: "10m" }, { action: "rollback" }]).rollbackSeconds).toBe(600);
    expect(plan([{ action: "rollback", deadline: "10m" }], true, "5m").rollbackSeconds).toBe(300);
    expect(plan([undefined], true, "2h").rollbackSeconds).toBe(7200);
  });
  it("counts in whole seconds, as both are kept", () => {
    expect(plan([{ action: "pause", askFor: "1500ms" }]).askSeconds).toBe(2);
    expect(plan([{ action: "rollback", deadline: "500ms" }]).rollbackSeconds).toBe(1);
  });
  it("takes the widest scope, and who asks for nothing means all", () => {
    expect(plan([{ action: "rollback", scope: "target" }, { action: "rollback", scope: "batch" }]).rollbackScope).toBe(
      "batch",
    );
    expect(plan([{ action: "rollback", scope: "target" }, undefined]).rollbackScope).toBe("deployment");
  });
});
