import { expect, it } from "vitest";
import { toInstant } from "./client.ts";

it("says every instant as the calendar would, whatever its fraction and its form", () => {
  const texts = ["", ".1", ".12", ".123", ".123456", ".999999"].map((fraction) => `2026-11-22 13:04:05${fraction}+00`);
  for (const text of [...texts, "1999-12-31 23:59:59.5+00", "2026-11-22 13:04:05.25+02", "2026-11-22 13:04:05-03:30"]) {
    expect(toInstant(text), text).toBe(new Date(text).toISOString());
  }
});
