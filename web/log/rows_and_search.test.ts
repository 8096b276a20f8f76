import fc from "../../tests/helpers/fast_check.ts";
import { describe, expect, it } from "vitest";
import { createLogSearch, markMatches } from "./search_log.ts";
import { createLineRows, createWrappedRows, sliceSpans } from "./wrap_rows.ts";

describe("rows", () => {
  it("are lines when nothing wraps", () => {
    const rows = createLineRows(() => 3);
    expect([rows.rows(), rows.at(2), rows.rowOf(1)]).toEqual([3, { line: 2, part: 0 }, 1]);
  });

  it("find the line behind every wrapped row", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(50), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        (lengths, columns) => {
          const rows = createWrappedRows(columns);
          rows.sync(lengths.length, (i) => lengths[i]!);
          const expected = lengths.flatMap((length, line) =>
            Array.from({ length: Math.max(1, Math.ceil(length / columns)) }, (_, part) => ({ line, part }))
          );
          expect(rows.rows()).toBe(expected.length);
          expected.forEach((at, row) => expect(rows.at(row)).toEqual(at));
        },
      ),
    );
  });

  it("measure the last line again when it grew", () => {
    const rows = createWrappedRows(10);
    const lengths = [5, 5];
    rows.sync(2, (i) => lengths[i]!);
    lengths[1] = 25;
    lengths.push(1);
    rows.sync(3, (i) => lengths[i]!);
    expect(rows.rows()).toBe(5);
    expect(rows.rowOf(2)).toBe(4);
  });

  it("show their part of the spans", () => {
    expect(sliceSpans([{ text: "abc" }, { text: "def" }], 2, 5)).toEqual([{ text: "c" }, { text: "de" }]);
  });
});

describe("search", () => {
  it("finds matching lines in slices, without regard to case", () => {
    const lines = ["Error one", "fine", "an ERROR", "fine"];
    const search = createLogSearch("error", (i) => lines[i]!);
    expect(search.advance(4, 2)).toBe(false);
    expect(search.matches).toEqual([0]);
    expect(search.advance(4, 2)).toBe(true);
    expect(search.matches).toEqual([0, 2]);
    lines[3] = "fine, then error";
    lines.push("error");
    search.advance(5, 10);
    expect(search.matches).toEqual([0, 2, 3, 4]);
  });

  it("marks each occurrence, also across spans", () => {
    expect(markMatches([{ text: "xa" }, { text: "bab" }], "ab")).toEqual([
      { text: "x" },
      { text: "a", isMatch: true },
      { text: "b", isMatch: true },
      { text: "ab", isMatch: true },
    ]);
  });
});
