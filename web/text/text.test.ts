import { describe, expect, it } from "vitest";
import { matchPath, safeReturn } from "../router.ts";
import { isSameOrder, moveTo, release, startOrder } from "../models/order_list.ts";
import { planWaves } from "../models/plan_waves.ts";
import { factsText } from "./facts_text.ts";
import { labelsText, parseLabels, repositoryName } from "./text_parts.ts";
import { agoText, bytesText, durationText, runTime } from "./time_text.ts";

const words = {
  day: "d",
  hour: "h",
  minute: "min",
  second: "s",
  now: "just now",
  ago: (x: string) => `${x} ago`,
  ahead: (x: string) => `in ${x}`,
};

describe("times", () => {
  it.each([[340, "0.3 s"], [59_600, "1 min"], [61_000, "1 min 1 s"], [3_600_000, "1 h"], [90_061_000, "1 d 1 h"], [
    -5,
    "0.0 s",
  ]])(
    "%i ms is %s",
    (ms, text) => expect(durationText(ms, words)).toBe(text),
  );

  it.each([[2, "just now"], [40, "40 s ago"], [3700, "1 h ago"], [-600, "in 10 min"]])(
    "%i s back is %s",
    (seconds, text) => {
      const now = Date.parse("2026-01-01T12:00:00Z");
      expect(agoText(new Date(now - seconds * 1000).toISOString(), now, words)).toBe(text);
    },
  );

  it("run until the end, or until now", () => {
    const startedAt = "2026-01-01T00:00:00Z";
    expect(runTime({ startedAt: null, completedAt: null }, 0)).toBeUndefined();
    expect(runTime({ startedAt, completedAt: "2026-01-01T00:00:05Z" }, 0)).toBe(5000);
    expect(runTime({ startedAt, completedAt: null }, Date.parse(startedAt) + 70)).toBe(70);
  });
});

describe("short forms", () => {
  it.each([
    ["https://github.com/acme/shop.git", "acme/shop"],
    ["git@git.example.com:team/sub/shop.git", "sub/shop"],
    ["file:///srv/git/shop.git", "git/shop"],
    ["shop", "shop"],
  ])("%s is %s", (url, name) => expect(repositoryName(url)).toBe(name));

  it("of labels go both ways", () => {
    expect(parseLabels("a=1, b = x=y")).toEqual({ a: "1", b: "x=y" });
    expect(parseLabels("nonsense")).toBeUndefined();
    expect(parseLabels("")).toEqual({});
    expect(labelsText({ a: "1", b: "2" })).toBe("a=1, b=2");
  });

  it("of bytes and facts are readable", () => {
    expect([bytesText(0), bytesText(999), bytesText(1234), bytesText(5e6)]).toEqual([
      "0 B",
      "999 B",
      "1.2 kB",
      "5.0 MB",
    ]);
    expect(factsText({ os: "linux", cpus: 8, memoryBytes: 2 ** 34, odd: {} })).toBe("linux · 8 CPU · 16 GiB");
  });
});

describe("addresses", () => {
  it("match patterns with parameters", () => {
    expect(matchPath("/deployments/:id", "/deployments/42/")).toEqual({ id: "42" });
    expect(matchPath("/deployments/:id", "/deployments")).toBeUndefined();
    expect(matchPath("/", "/")).toEqual({});
    expect(matchPath("/x/:id", "/x/%E0%A4%A")).toEqual({ id: "%E0%A4%A" });
  });

  it("lead back only to pages of ours", () => {
    expect(["/deployments?x=1", "//evil.example", "https://evil.example", "/\\evil", null].map(safeReturn))
      .toEqual(["/deployments?x=1", "/", "/", "/", "/"]);
  });
});

describe("an order", () => {
  it("moves, releases and takes in", () => {
    const start = startOrder(["a", "b", "c"], ["b", "gone", "a"]);
    expect(start).toEqual({ ordered: ["b", "a"], free: ["c"] });
    expect(moveTo(start, "a", 0)).toEqual({ ordered: ["a", "b"], free: ["c"] });
    expect(moveTo(start, "c", 9)).toEqual({ ordered: ["b", "a", "c"], free: [] });
    expect(release(start, "b")).toEqual({ ordered: ["a"], free: ["b", "c"] });
    expect([isSameOrder(["a"], ["a"]), isSameOrder(["a", "b"], ["b", "a"])]).toEqual([true, false]);
  });
});

it("a plan is shown in waves, parts inside their application", () => {
  const planned = (key: string, dependsOn: string[], parentKey: string | null = null) =>
    ({ key, parentKey, name: key, application: key, type: "deploy", dependsOn, target: null }) as const;
  const waves = planWaves([planned("a", []), planned("a/m1", [], "a"), planned("b", ["a/m1"]), planned("c", [])]);
  expect(waves.map((wave) => wave.map(({ task, parts }) => [task.key, parts.length]))).toEqual([[["a", 1], ["c", 0]], [[
    "b",
    0,
  ]]]);
});
