import { describe, expect, it } from "vitest";
import { batchSize, planStages } from "./strategy.ts";
import type { Stage, StrategyInput } from "./strategy.ts";

const targets = (n: number) => Array.from({ length: n }, (_, i) => ({ id: `id${i}`, name: `m${i}` }));
function say(stage: Stage): number | string {
  switch (stage.kind) {
    case "apply":
      return stage.phase === "deploy" ? stage.targets.length : `${stage.phase}${stage.hold ? " and hold" : ""}`;
    case "pause":
      return `wait ${stage.seconds}`;
    default:
      return stage.kind;
  }
}
const shape = (n: number, strategy: StrategyInput) => planStages({ targets: targets(n), strategy }).map(say);
const gate = { http: "https://shop.example.com/" };

describe("planStages", () => {
  it.each<[string, number, StrategyInput, (number | string)[]]>([
    ["all at once", 3, { type: "all" }, [3]],
    ["rolling, one by one when no batch is named", 3, { type: "rolling" }, [1, 1, 1]],
    ["rolling by count, the rest last", 5, { type: "rolling", batch: 2 }, [2, 2, 1]],
    ["rolling by share, rounded up", 5, { type: "rolling", batch: "25%" }, [2, 2, 1]],
    ["with a wait between batches and none after the last", 3, { type: "rolling", batch: 2, wait: "10s" }, [
      2,
      "wait 10",
      1,
    ]],
    ["no targets, no stages", 0, { type: "rolling" }, []],
    ["canary, what remains behind the last step at once", 5, { type: "canary", steps: [{ target: 1 }] }, [1, 4]],
    [
      "canary, each target counting those that have it already",
      10,
      { type: "canary", steps: [{ target: 1 }, { pause: "10m" }, { target: "50%" }, { target: "100%" }] },
      [1, "wait 600", 4, 5],
    ],
    [
      "canary, a step in batches of all targets, with waits",
      8,
      { type: "canary", steps: [{ target: 1 }, { target: "100%", batch: "25%", wait: "5s" }] },
      [1, 2, "wait 5", 2, "wait 5", 2, "wait 5", 1],
    ],
    [
      "canary, what lies between the steps in its place, before the first and behind the last too",
      2,
      { type: "canary", steps: [{ approve: {} }, { target: 1 }, { gate }, { target: 2 }, { gate }] },
      ["approval", 1, "gate", 1, "gate"],
    ],
    ["canary, a step that asks for no more than there is does nothing", 4, {
      type: "canary",
      steps: [{ target: 3 }, { target: 1 }, { target: "50%" }],
    }, [3, 1]],
    ["blueGreen without a hold ends the old one with the switch", 3, { type: "blueGreen" }, ["prepare", "switch"]],
    [
      "blueGreen with steps and a hold",
      3,
      { type: "blueGreen", steps: [{ gate }, { approve: {} }, { pause: "1m" }], hold: "30m" },
      ["prepare", "gate", "approval", "wait 60", "switch and hold", "wait 1800", "finish"],
    ],
  ])("%s", (_name, n, strategy, expected) => expect(shape(n, strategy)).toEqual(expected));

  it("tells of each canary target which step it belongs to and what that step tolerates", () => {
    const strategy: StrategyInput = {
      type: "canary",
      steps: [{ target: 1 }, { pause: "1m" }, { target: 3, maxFailures: 1 }],
    };
    const stages = planStages({ targets: targets(4), strategy });
    expect(stages.flatMap((stage) => stage.kind === "apply" ? [stage.step] : [])).toEqual([
      { number: 1, maxFailures: 0 },
      { number: 3, maxFailures: 1 },
      { number: 4, maxFailures: 0 },
    ]);
  });
});

it.each([["1%", 200, 2], ["100%", 7, 7], [10, 3, 3], [undefined, 9, 1], ["10%", 1, 1]] as const)(
  "a batch of %s over %i targets is %i",
  (batch, n, expected) => expect(batchSize(batch, n)).toBe(expected),
);
