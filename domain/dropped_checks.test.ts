import { describe, expect, it } from "vitest";
import { findDropped } from "./dropped_checks.ts";
import { planStages } from "./strategy.ts";
import type { StepInput, StrategyInput } from "./strategy.ts";

const targets = ["m1", "m2", "m3", "m4"].map((name) => ({ id: name, name }));
const canary = (...steps: StepInput[]): StrategyInput => ({ type: "canary", steps });
const approve: StepInput = { approve: { roles: ["lead", "ops"], count: 1, notAuthor: true } };
const gate: StepInput = { gate: { http: "https://example.com/ok", for: "5m" } };
const dropped = (own: StrategyInput, given: StrategyInput) => findDropped({ own, given, targets }, planStages);

const OWN = canary({ target: 1 }, gate, approve);
const LOST = ["gate https://example.com/ok after 1 of 4", "approval by 1 of lead, ops after 1 of 4"];

describe("another strategy", () => {
  it("that asks nobody drops each approval and gate of the application's own", () => {
    expect(dropped(OWN, { type: "all" })).toEqual(LOST);
    expect(dropped(OWN, { type: "rolling", batch: 2 })).toEqual(LOST);
    expect(dropped({ type: "blueGreen", steps: [approve] }, { type: "blueGreen", hold: "1h" })).toEqual([
      "approval by 1 of lead, ops after 0 of 4",
    ]);
  });
  it("that asks only when more places have the release drops them too", () => {
    expect(dropped(OWN, canary({ target: 2 }, gate, approve))).toEqual(LOST);
    expect(dropped(OWN, canary({ target: 1 }, gate, { target: "50%" }, approve))).toEqual(LOST.slice(1));
  });
  it("drops them too where no target is named, so that any agent takes it", () => {
    const own = canary(approve, { target: "100%" });
    expect(findDropped({ own, given: { type: "all" }, targets: [] }, planStages)).toEqual([
      "approval by 1 of lead, ops after 0 of 1",
    ]);
    expect(findDropped({ own, given: own, targets: [] }, planStages)).toEqual([]);
  });
  it("that asks for as much or more, as early or earlier, drops nothing", () => {
    for (
      const given of [
        OWN,
        canary(gate, approve),
        canary({ pause: "1m" }, { target: 1 }, gate, approve, { target: 2 }, gate),
        canary({ target: 1 }, { gate: { for: "5m", http: "https://example.com/ok" } }, {
          approve: { roles: ["lead"], count: 2, notAuthor: true, expires: "1h" },
        }),
        { type: "blueGreen", steps: [gate, approve] } as StrategyInput,
      ]
    ) expect(dropped(OWN, given)).toEqual([]);
    expect(dropped({ type: "rolling" }, { type: "all" })).toEqual([]);
  });
  it.each([
    ["another gate", canary({ target: 1 }, { gate: { http: "https://example.com/", for: "5m" } }, approve), 1],
    ["others who answer", canary({ target: 1 }, gate, { approve: { roles: ["viewer"], notAuthor: true } }), 1],
    ["anybody who may deploy", canary({ target: 1 }, gate, { approve: { notAuthor: true } }), 1],
    ["the author too", canary({ target: 1 }, gate, { approve: { roles: ["lead"] } }), 1],
    [
      "silence that counts as a yes",
      canary({ target: 1 }, gate, {
        approve: { roles: ["lead"], notAuthor: true, expires: "1s", onExpire: "approve" },
      }),
      1,
    ],
    ["one for two", canary({ target: 1 }, gate), 1],
  ])("with %s is no substitute", (_, given, lost) => expect(dropped(OWN, given as StrategyInput)).toHaveLength(lost));
});
