import { describe, expect, it } from "vitest";
import { lastOccurrence, nextOccurrence, whyNoCron } from "./cron.ts";

const at = (text: string) => Date.parse(text);
const said = (instant: number | undefined) => instant === undefined ? undefined : new Date(instant).toISOString();
const next = (cron: string, tz: string | undefined, from: string) => said(nextOccurrence({ cron, tz }, at(from)));
const last = (cron: string, tz: string | undefined, from: string) => said(lastOccurrence({ cron, tz }, at(from)));

describe("a cron time", () => {
  it("comes next and came last in its own time zone", () => {
    expect(next("0 3 * * 1-5", "Asia/Shanghai", "2026-11-20T12:00:00Z")).toBe("2026-11-22T19:00:00.000Z");
    expect(last("0 18 * * 5", "Asia/Shanghai", "2026-11-22T12:00:00Z")).toBe("2026-11-20T10:00:00.000Z");
    expect(next("30 2 * * *", undefined, "2026-01-01T02:30:00Z")).toBe("2026-01-02T02:30:00.000Z");
  });
  it("has come at its own instant, to the millisecond", () => {
    expect(last("0 0 * * *", "UTC", "2026-03-01T00:00:00Z")).toBe("2026-03-01T00:00:00.000Z");
    expect(last("0 0 * * *", "UTC", "2026-02-28T23:59:59.999Z")).toBe("2026-02-28T00:00:00.000Z");
    expect(next("0 0 * * *", "UTC", "2026-02-28T23:59:59.999Z")).toBe("2026-03-01T00:00:00.000Z");
  });
  it("keeps its hour on the wall when summer time begins and ends", () => {
    const zone = "Europe/Berlin";
    expect(next("0 9 * * *", zone, "2026-03-28T12:00:00Z")).toBe("2026-03-29T07:00:00.000Z"); // the day it begins
    expect(next("0 9 * * *", zone, "2026-10-24T12:00:00Z")).toBe("2026-10-25T08:00:00.000Z"); // the day it ends
  });
  it("is not lost in the hour that a spring day lacks, and comes once in the hour that an autumn day has twice", () => {
    const zone = "Europe/Berlin";
    expect(next("30 2 * * *", zone, "2026-03-28T12:00:00Z")).toBe("2026-03-29T01:00:00.000Z");
    expect(last("30 2 * * *", zone, "2026-03-29T02:00:00Z")).toBe("2026-03-29T01:00:00.000Z");
    expect(next("30 2 * * *", zone, "2026-10-24T12:00:00Z")).toBe("2026-10-25T00:30:00.000Z");
    expect(next("30 2 * * *", zone, "2026-10-25T00:30:00Z")).toBe("2026-10-26T01:30:00.000Z");
  });
  it("is refused with the reason when it is none", () => {
    expect(whyNoCron({ cron: "0 18 * * 5", tz: "Asia/Shanghai" })).toBeUndefined();
    expect(whyNoCron({ cron: "0 0 29 2 *" })).toBeUndefined();
    expect(whyNoCron({ cron: "61 * * * *" })).toMatch(/^"61 \* \* \* \*" is no cron time: /);
    expect(whyNoCron({ cron: "* * * * * *" })).toMatch(/is no cron time/);
    expect(whyNoCron({ cron: "* * * *" })).toMatch(/is no cron time/);
    expect(whyNoCron({ cron: "0 0 30 2 *" })).toMatch(/never comes/);
    expect(whyNoCron({ cron: "0 0 * * *", tz: "Mars/Olympus" })).toMatch(/in Mars\/Olympus is no cron time/);
  });
});
