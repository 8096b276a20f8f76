import { describe, expect, it } from "vitest";
import { median, percentile, say, saySpread, spread } from "./statistics.ts";

describe("percentiles", () => {
  it("lie between the two nearest values, whatever the order they came in", () => {
    expect(percentile([30, 10, 20, 40], 50)).toBe(25);
    expect(percentile([1, 2, 3, 4, 5], 25)).toBe(2);
    expect([percentile([7, 1], 0), percentile([7, 1], 100)]).toEqual([1, 7]);
    expect(percentile(Array.from({ length: 101 }, (_, n) => n), 99)).toBe(99);
  });
  it("of one value are that value, of none are nothing", () => {
    expect(percentile([5], 99)).toBe(5);
    expect(median([])).toBeNaN();
  });
  it("leave what they are given as it was", () => {
    const values = [3, 1, 2];
    expect(median(values)).toBe(2);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe("spread", () => {
  it("names the middle and both ends", () => {
    expect(spread([10, 30, 20])).toEqual({ median: 20, min: 10, max: 30 });
    expect(saySpread([1000, 3000, 2000])).toBe("2,000 (1,000 - 3,000)");
    expect(saySpread([1.23456])).toBe("1.23");
  });
  it("is said with three digits, and a dash where there is no number", () => {
    expect([0.012345, 1.2345, 99.94, 123.4, 54321].map(say)).toEqual(["0.0123", "1.23", "99.9", "123", "54,321"]);
    expect([NaN, Infinity].map(say)).toEqual(["-", "-"]);
  });
});
