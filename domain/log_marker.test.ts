import { expect, it } from "vitest";
import { type Gap, gapMarker, MARKER_MAX_BYTES, parseGapMarker } from "./log_marker.ts";

it("reads back every marker it writes, with and without its newline", () => {
  const gaps: Gap[] = [
    { cause: "spool", bytes: 4096 },
    { cause: "cap", bytes: 1, lines: 0 },
    { cause: "viewer", bytes: 2 ** 40 },
    { cause: "retention", bytes: 2 ** 40, lines: 2 ** 40, days: 36_500 },
  ];
  for (const gap of gaps) {
    expect(parseGapMarker(gapMarker(gap))).toEqual(gap);
    expect(gapMarker(gap).length).toBeLessThanOrEqual(MARKER_MAX_BYTES);
    expect(parseGapMarker(gapMarker(gap).trimEnd())).toEqual(gap);
  }
});

it("takes no other line for a marker", () => {
  const marker = gapMarker({ cause: "cap", bytes: 5, lines: 1 }).trimEnd();
  for (const line of ["", ` ${marker}`, `${marker} `, marker.replace("5", "-5"), marker.replace("log", "disk")]) {
    expect(parseGapMarker(line), line).toBeUndefined();
  }
});
