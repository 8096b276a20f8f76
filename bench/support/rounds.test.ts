import { expect, it } from "vitest";
import { inTurns } from "./rounds.ts";

it("parties are measured in turns, round after round", async () => {
  const order: string[] = [];
  const party = (name: string) => ({
    name,
    measure: (round: number) => Promise.resolve(order.push(`${name}${round}`)),
  });
  const measured = await inTurns([party("a"), party("b")], 2, () => {});
  expect(order).toEqual(["a0", "b0", "a1", "b1"]);
  expect(measured).toEqual(new Map([["a", [1, 3]], ["b", [2, 4]]]));
});
