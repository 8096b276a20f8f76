import { describe, expect, it } from "vitest";
import { orderApplications } from "./order_applications.ts";

const order = (all: string[], deployed: string[], mustInOrder: string[], needs: Record<string, string[]> = {}) =>
  Object.fromEntries(orderApplications(all, deployed, { needs, mustInOrder }));

describe("orderApplications", () => {
  it("lets each application of the list wait for the one before it", () => {
    expect(order(["user", "order", "payment"], ["user", "order", "payment"], ["user", "order", "payment"]))
      .toEqual({ user: [], order: ["user"], payment: ["order"] });
  });

  it("runs what is outside the list in parallel once its needs hold", () => {
    expect(order(["a", "b", "c"], ["a", "b", "c"], ["a", "b"], { c: ["a"] })).toEqual({ a: [], b: ["a"], c: ["a"] });
  });

  it("keeps order through an application that did not change", () => {
    expect(order(["a", "b", "c"], ["a", "c"], ["a", "b", "c"])).toEqual({ a: [], c: ["a"] });
    expect(order(["a", "b", "c"], ["a", "c"], [], { c: ["b"], b: ["a"] })).toEqual({ a: [], c: ["a"] });
  });

  it("names the cycle, whichever rules make it", () => {
    expect(() => order(["a", "b", "c"], ["a"], ["a", "b"], { a: ["c"], c: ["b"] })).toThrow(
      /a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c/,
    );
    expect(() => order(["a"], ["a"], [], { a: ["a"] })).toThrow(/a -> a/);
  });

  it("refuses a name it does not know, and one that stands twice", () => {
    expect(() => order(["a"], ["a"], ["b"])).toThrow(/"b", which is not an application/);
    expect(() => order(["a", "b"], ["a"], ["a", "b", "a"])).toThrow(/"a" twice/);
  });

  it("takes a need outside the version as met by what already runs", () => {
    expect(order(["a"], ["a"], [], { a: ["elsewhere"] })).toEqual({ a: [] });
  });
});
