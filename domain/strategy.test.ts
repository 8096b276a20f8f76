import { describe, expect, it } from "vitest";
import { batchSize, planStages } from "./strategy.ts";

const targets = (n: number) => Array.from({ length: n }, (_, i) => ({ id: `id${i}`, name: `m${i}` }));
const shape = (n: number, strategy: Parameters<typeof planStages>[0]["strategy"]) =>
  planStages({ targets: targets(n), strategy }).map((
    s,
  ) => (s.kind === "apply" ? s.targets.length : `wait ${s.seconds}`));

describe("planStages", () => {
  it.each(
    [
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
    ] as const,
  )("%s", (_name, n, strategy, expected) => {
    expect(shape(n, strategy)).toEqual(expected);
  });

  it("refuses by name what it does not carry out, even without targets", () => {
    expect(() => planStages({ targets: [], strategy: { type: "canary" } })).toThrow(
      /"canary" is understood but not carried out/,
    );
    expect(() => planStages({ targets: [], strategy: { type: "blueGreen" } })).toThrow(/"blueGreen"/);
  });
});

it.each([["1%", 200, 2], ["100%", 7, 7], [10, 3, 3], [undefined, 9, 1], ["10%", 1, 1]] as const)(
  "a batch of %s over %i targets is %i",
  (batch, n, expected) => expect(batchSize(batch, n)).toBe(expected),
);
