import { describe, expect, it } from "vitest";
import { judgeTick } from "./due_tick.ts";

const at = (text: string) => Date.parse(text);
const say = (milliseconds: number | undefined) => new Date(milliseconds ?? 0).toISOString();
const judge = (cron: string, due: string, now: string, missed: "skip" | "run_once" = "skip", tz?: string) => {
  const tick = judgeTick({ cron, tz }, missed, at(due), at(now));
  return { at: say(tick.at), next: say(tick.next), runs: tick.why === undefined };
};

describe("a tick that is due", () => {
  it("runs, also when the master that takes over is a little late", () =>
    expect(judge("0 3 * * *", "2026-03-01T03:00:00Z", "2026-03-01T03:00:45Z")).toEqual({
      at: "2026-03-01T03:00:00.000Z",
      next: "2026-03-02T03:00:00.000Z",
      runs: true,
    }));
  it("is missed after a minute: skipped, or run once", () => {
    const late = ["0 3 * * *", "2026-03-01T03:00:00Z", "2026-03-01T03:10:00Z"] as const;
    expect(judge(...late).runs).toBe(false);
    expect(judge(...late, "run_once").runs).toBe(true);
  });
  it("stands for all that were missed before it, and runs when it is in time itself", () => {
    expect(judge("*/10 * * * *", "2026-03-01T03:00:00Z", "2026-03-01T08:40:30Z")).toEqual({
      at: "2026-03-01T08:40:00.000Z",
      next: "2026-03-01T08:50:00.000Z",
      runs: true,
    });
    expect(judge("*/10 * * * *", "2026-03-01T03:00:00Z", "2026-03-01T08:45:00Z", "run_once").at).toBe(
      "2026-03-01T08:40:00.000Z",
    );
  });
  it("is counted from its own time zone where the clock is put forward and back", () => {
    // 2026-03-29 02:30 does not exist in Berlin: it comes at once behind the gap, and the next day at its own time.
    const spring = judge("30 2 * * *", "2026-03-28T01:30:00Z", "2026-03-28T01:30:00Z", "skip", "Europe/Berlin");
    expect(spring.next).toBe("2026-03-29T01:00:00.000Z");
    expect(judge("30 2 * * *", spring.next, spring.next, "skip", "Europe/Berlin")).toEqual({
      at: spring.next,
      next: "2026-03-30T00:30:00.000Z",
      runs: true,
    });
    // 2026-10-25 02:30 comes twice: the first one counts, and the second is no tick.
    const autumn = judge("30 2 * * *", "2026-10-24T00:30:00Z", "2026-10-24T00:30:00Z", "skip", "Europe/Berlin");
    expect(autumn.next).toBe("2026-10-25T00:30:00.000Z");
    expect(judge("30 2 * * *", autumn.next, autumn.next, "skip", "Europe/Berlin").next).toBe(
      "2026-10-26T01:30:00.000Z",
    );
  });
});
