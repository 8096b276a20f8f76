import { describe, expect, it } from "vitest";
import { frozenAt, mayOverride, needsReason, nextWindow, sayRoles } from "./freeze.ts";
import type { Freeze } from "./freeze.ts";

const HOUR = 3600;
const at = (text: string) => Date.parse(text);
const said = (instant?: number) => instant === undefined ? undefined : new Date(instant).toISOString().slice(0, 16);
const window = (cron: string, seconds: number, more: Partial<Freeze> = {}, tz?: string): Freeze => ({
  why: cron,
  time: { cron, seconds, tz },
  applications: null,
  override: null,
  ...more,
});
const once = (from: string, until: string): Freeze => ({
  why: "by hand",
  time: { from: at(from), until: at(until) },
  applications: null,
  override: null,
});
const until = (freezes: Freeze[], instant: string, applications?: string[]) =>
  said(frozenAt(freezes, at(instant), applications)?.until);

const WEEKEND = window("0 18 * * 5", 62 * HOUR);

describe("a freeze", () => {
  it("begins at its instant and ends before the instant of its end", () => {
    expect(until([WEEKEND], "2026-11-20T17:59:59.999Z")).toBeUndefined();
    expect(until([WEEKEND], "2026-11-20T18:00:00Z")).toBe("2026-11-23T08:00");
    expect(until([WEEKEND], "2026-11-23T07:59:59.999Z")).toBe("2026-11-23T08:00");
    expect(until([WEEKEND], "2026-11-23T08:00:00Z")).toBeUndefined();
  });
  it("is told until the end of the last window that follows without a gap", () => {
    const freezes = [WEEKEND, window("0 7 * * 1", 4 * HOUR), once("2026-11-23T11:00:00Z", "2026-11-24T00:00:00Z")];
    expect(until(freezes, "2026-11-21T00:00:00Z")).toBe("2026-11-24T00:00");
    expect(until([WEEKEND, window("0 9 * * 1", HOUR)], "2026-11-21T00:00:00Z")).toBe("2026-11-23T08:00");
    expect(frozenAt(freezes, at("2026-11-21T00:00:00Z"))!.by.map((f) => f.why)).toEqual(["0 18 * * 5"]);
  });
  it("that never ends is told for a year", () => {
    expect(until([window("0 * * * *", 2 * HOUR)], "2026-01-01T00:00:00Z")).toBe("2027-01-02T00:00");
  });
  it("of some applications leaves the others alone, and does not lengthen the freezes of others", () => {
    const order = { ...once("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"), applications: ["order"] };
    const all = once("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    expect(until([order], "2026-01-01T12:00:00Z", ["pay"])).toBeUndefined();
    expect(until([order, all], "2026-01-01T12:00:00Z", ["pay"])).toBe("2026-01-02T00:00");
    expect(until([order, all], "2026-01-01T12:00:00Z", ["pay", "order"])).toBe("2026-01-03T00:00");
  });
  it("keeps its hour on the wall through the change to summer time", () => {
    const night = window("0 22 * * *", 8 * HOUR, {}, "Europe/Berlin");
    expect(until([night], "2026-03-28T22:00:00Z")).toBe("2026-03-29T05:00");
    expect(until([night], "2026-03-28T20:30:00Z")).toBeUndefined();
    expect(until([night], "2026-03-29T20:00:00Z")).toBe("2026-03-30T04:00");
  });
  it("is shown with its window of now, else with the next", () => {
    const show = (freeze: Freeze, instant: string) => {
      const found = nextWindow(freeze, at(instant));
      return found && [said(found.from), said(found.until)];
    };
    expect(show(WEEKEND, "2026-11-22T00:00:00Z")).toEqual(["2026-11-20T18:00", "2026-11-23T08:00"]);
    expect(show(WEEKEND, "2026-11-24T00:00:00Z")).toEqual(["2026-11-27T18:00", "2026-11-30T08:00"]);
    expect(show(once("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), "2026-02-01T00:00:00Z")).toBeUndefined();
  });
  it("lets pass who may pass all of those in force; an admin always, and where nothing is said nobody else", () => {
    const incident = { role: "incident", reason: "required" as const };
    const lead = { role: "lead", reason: "optional" as const };
    const by = (...overrides: Freeze["override"][]) => ({
      by: overrides.map((override) => ({ ...WEEKEND, override })),
    });
    expect(mayOverride(by(incident), { role: "incident" })).toBe(true);
    expect(mayOverride(by(incident, lead), { role: "incident" })).toBe(false);
    expect(mayOverride(by(null), { role: "incident" })).toBe(false);
    expect(mayOverride(by(null, incident), { role: "admin" })).toBe(true);
    expect([needsReason(by(lead)), needsReason(by(lead, incident)), needsReason(by(null))]).toEqual([
      false,
      true,
      true,
    ]);
    expect([sayRoles(by(incident, lead)), sayRoles(by(incident, null))]).toEqual(["incident and lead", "admin"]);
  });
});
