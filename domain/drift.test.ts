import { describe, expect, it } from "vitest";
import { type Difference, HEALS_PER_HOUR, judgeDrift, nameDifferences, nextHealAt } from "./drift.ts";

const env: Difference = { path: "env.LOG_LEVEL", expected: "info", actual: "debug" };
const judge = (
  seen: Partial<Parameters<typeof judgeDrift>[1]>,
  expected: Partial<Parameters<typeof judgeDrift>[0]> = {},
) =>
  judgeDrift(
    { version: "v2", mode: "report", ignore: [], ...expected },
    { version: "v2", health: "healthy", differences: [], ...seen },
  );

describe("what runs is", () => {
  it.each([
    ["synced with no difference", {}, {}, "synced", []],
    ["out of sync with one", { differences: [env] }, {}, "out_of_sync", ["env.LOG_LEVEL"]],
    ["out of sync in another version", { version: "v1" }, {}, "out_of_sync", ["version"]],
    ["out of sync when it is missing", { health: "missing", version: null }, {}, "out_of_sync", ["application"]],
    ["unknown when it cannot be compared", { differences: null }, {}, "unknown", []],
    [
      "out of sync in another version, also when it cannot be compared",
      { differences: null, version: "v1" },
      {},
      "out_of_sync",
      ["version"],
    ],
    ["unknown when nobody wants to know", { differences: [env] }, { mode: "ignore" as const }, "unknown", []],
    ["synced when what differs is ignored", { differences: [env] }, { ignore: ["env.LOG_LEVEL"] }, "synced", []],
    ["synced when what is above it is ignored", { differences: [env] }, { ignore: ["env"] }, "synced", []],
    ["synced when a glob ignores it", { differences: [env] }, { ignore: ["env.LOG_*"] }, "synced", []],
    [
      "out of sync when something with the same beginning is ignored",
      { differences: [env] },
      { ignore: ["env.LOG", "en"] },
      "out_of_sync",
      ["env.LOG_LEVEL"],
    ],
    [
      "unknown when it is missing and that is ignored",
      { health: "missing", version: null },
      { ignore: ["application"] },
      "unknown",
      [],
    ],
  ])("%s", (_what, seen, expected, sync, paths) => {
    const judged = judge(seen, expected);
    expect([judged.sync, judged.drift.map((d) => d.path)]).toEqual([sync, paths]);
  });
});

it("names what differs for a person, and not endlessly", () => {
  expect(nameDifferences([env])).toBe("env.LOG_LEVEL is debug, not info");
  expect(nameDifferences([env, env, env, env, env])).toMatch(/info; and 2 more$/);
});

describe("healing", () => {
  const minute = 60_000;
  it("tries at once, then later and later, and so often within an hour only", () => {
    let now = 1_000 * minute;
    const begun = now;
    const tries: number[] = [];
    while (now < begun + 60 * minute) {
      if (nextHealAt(tries, now) <= now) tries.push(now);
      now += 1000;
    }
    expect(tries.map((at) => (at - begun) / minute)).toEqual([0, 1, 6, 21]);
    expect(tries).toHaveLength(HEALS_PER_HOUR);
    expect(nextHealAt(tries, now)).toBeLessThanOrEqual(now);
  });
  it("forgets tries that are older than an hour", () => {
    expect(nextHealAt([0], 61 * minute)).toBe(61 * minute);
  });
});
