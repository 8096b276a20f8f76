import { describe, expect, it } from "vitest";
import { refuseContradictions } from "./hooks.ts";
import type { HooksInput } from "./hooks.ts";
import { planDeployment } from "./plan_deployment.ts";
import { planStages } from "./strategy.ts";
import type { StrategyInput } from "./strategy.ts";

const target = (name: string) => ({ id: `id-${name}`, name });
const hook = { run: "ops/hook.sh" };
const each = { ...hook, on: "each" as const };

/** `name <- what it waits for`, without the application's name. */
function lines(strategy: StrategyInput, hooks: HooksInput, machines: string[], watchSeconds = 0): string[] {
  const plan = planDeployment({
    all: [{ name: "order", needs: [] }],
    deployed: [{ name: "order", needs: [], targets: machines.map(target), strategy, hooks, watchSeconds }],
    mustInOrder: [],
    planStages,
  });
  const short = (key: string) => key.replace("order/", "");
  return plan.filter((t) => t.parentKey !== null).map((t) => `${short(t.key)} <- ${t.dependsOn.map(short).join(" ")}`);
}

describe("the parts of a release", () => {
  it("stay one leaf while nothing lies between them", () => {
    expect(lines({ type: "canary", steps: [{ target: 1 }] }, { onRollback: hook, onFailure: hook }, ["m1"])).toEqual(
      [],
    );
  });

  it("have the hooks of the deployment around all batches, and the watch behind them", () => {
    expect(lines({ type: "rolling" }, { preDeploy: hook, postDeploy: hook }, ["m1", "m2"], 60)).toEqual([
      "preDeploy <- ",
      "m1 <- preDeploy",
      "m2 <- m1",
      "postDeploy <- m2",
      "watch <- postDeploy",
    ]);
  });

  it("are a lane for each machine of a batch, with the hooks of that machine", () => {
    expect(lines({ type: "rolling", batch: 2 }, { preDeploy: each, preSwitch: each, postDeploy: each }, ["m1", "m2"]))
      .toEqual([
        "m1/preDeploy <- ",
        "m2/preDeploy <- ",
        "m1/prepare <- m1/preDeploy",
        "m2/prepare <- m2/preDeploy",
        "m1/preSwitch <- m1/prepare",
        "m2/preSwitch <- m2/prepare",
        "m1/switch <- m1/preSwitch",
        "m2/switch <- m2/preSwitch",
        "m1/postDeploy <- m1/switch",
        "m2/postDeploy <- m2/switch",
      ]);
  });

  it("ask once before the first switch, and go whole in the batches after it", () => {
    expect(lines({ type: "rolling", batch: 2 }, { preSwitch: hook }, ["m1", "m2", "m3"])).toEqual([
      "m1/prepare <- ",
      "m2/prepare <- ",
      "preSwitch <- m1/prepare m2/prepare",
      "m1/switch <- preSwitch",
      "m2/switch <- preSwitch",
      "m3 <- m1/switch m2/switch",
    ]);
  });

  it("of a blue-green release stand ready everywhere before anything switches, and are verified before the hold", () => {
    const strategy: StrategyInput = { type: "blueGreen", steps: [{ approve: {} }], hold: "5m" };
    expect(lines(strategy, { preDeploy: hook, preSwitch: hook, postDeploy: hook }, ["m1", "m2"])).toEqual([
      "preDeploy <- ",
      "m1/prepare <- preDeploy",
      "m2/prepare <- preDeploy",
      "approval-1 <- m1/prepare m2/prepare",
      "preSwitch <- approval-1",
      "m1/switch <- preSwitch",
      "m2/switch <- preSwitch",
      "postDeploy <- m1/switch m2/switch",
      "pause-1 <- postDeploy",
      "m1/finish <- pause-1",
      "m2/finish <- pause-1",
    ]);
  });

  it("of a blue-green release are asked on every machine before the first switches", () => {
    expect(lines({ type: "blueGreen" }, { preSwitch: each }, ["m1", "m2"]).slice(2)).toEqual([
      "m1/preSwitch <- m1/prepare m2/prepare",
      "m2/preSwitch <- m1/prepare m2/prepare",
      "m1/switch <- m1/preSwitch m2/preSwitch",
      "m2/switch <- m1/preSwitch m2/preSwitch",
    ]);
  });

  it("of a canary without named places are still made, for the one place there is", () => {
    const steps = [{ target: 1 }, { gate: { script: "ops/check.sh" } }, { approve: {} }];
    expect(lines({ type: "canary", steps }, { preDeploy: each }, [])).toEqual([
      "preDeploy <- ",
      "run <- preDeploy",
      "gate-1 <- run",
      "approval-1 <- gate-1",
    ]);
  });

  it("tolerate failures as all steps together say", () => {
    const plan = planDeployment({
      all: [{ name: "order", needs: [] }],
      deployed: [{
        name: "order",
        needs: [],
        targets: ["m1", "m2", "m3", "m4"].map(target),
        strategy: {
          type: "canary",
          steps: [{ target: 1 }, { target: 2, maxFailures: 1 }, { target: 4, maxFailures: 1 }],
        },
      }],
      mustInOrder: [],
      planStages,
    });
    expect(plan[0]!.maxFailures).toBe(2);
  });
});

describe("what excludes each other is refused by name", () => {
  it.each<[string, StrategyInput, HooksInput, RegExp]>([
    ["blueGreen with targets", { type: "blueGreen", steps: [{ target: 1 }] }, {}, /its steps are pauses, gates and/],
    ["blueGreen and maxFailures", { type: "blueGreen", maxFailures: 1 }, {}, /everywhere or nowhere/],
    ["preSwitch and maxFailures", { type: "rolling", maxFailures: 1 }, { preSwitch: hook }, /preSwitch hook and maxF/],
    [
      "preSwitch and the maxFailures of a step",
      { type: "canary", steps: [{ target: 1, maxFailures: 1 }] },
      { preSwitch: each },
      /^order: a preSwitch hook and maxFailures/,
    ],
    ["postDeploy on each and maxFailures", { type: "all", maxFailures: 1 }, { postDeploy: each }, /say `on: once`/],
  ])(
    "%s",
    (_name, strategy, hooks, expected) =>
      expect(() => refuseContradictions("order", strategy, hooks)).toThrow(expected),
  );

  it("and what goes together passes", () => {
    refuseContradictions("order", { type: "rolling", maxFailures: 1 }, { preDeploy: each, postDeploy: hook });
    refuseContradictions("order", { type: "blueGreen", steps: [{ pause: "1m" }] }, { preSwitch: each });
  });
});
