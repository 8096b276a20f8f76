/**
 * Rows of equal height. Without wrapping a row is a line; with it a line takes as many rows as its characters need, and
 * a prefix sum finds the line behind any row by bisection, also among a million.
 */
export interface RowMap {
  rows(): number;
  /** The line shown in a row, and which part of it. */
  at(row: number): { line: number; part: number };
  rowOf(line: number): number;
}

export const createLineRows = (lines: () => number): RowMap => ({
  rows: lines,
  at: (row) => ({ line: row, part: 0 }),
  rowOf: (line) => line,
});

/** `last` may still grow, so it is measured again with every call of `sync`. */
export function createWrappedRows(
  columns: number,
): RowMap & { sync(count: number, length: (line: number) => number): void } {
  /** `starts[i]` is the first row of line i; one more entry holds the total. */
  let starts = new Uint32Array(1024);
  let measured = 0;
  return {
    rows: () => starts[measured]!,
    at(row) {
      let low = 0;
      let high = measured - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (starts[middle]! <= row) low = middle;
        else high = middle - 1;
      }
      return { line: low, part: row - starts[low]! };
    },
    rowOf: (line) => starts[Math.min(line, measured)]!,
    sync(count, length) {
      if (count + 1 > starts.length) {
        const larger = new Uint32Array(Math.max(count + 1, starts.length * 2));
        larger.set(starts);
        starts = larger;
      }
      for (let line = Math.max(0, measured - 1); line < count; line++) {
        starts[line + 1] = starts[line]! + Math.max(1, Math.ceil(length(line) / columns));
      }
      measured = count;
    },
  };
}

/** The part of a line's spans that one wrapped row shows. */
export function sliceSpans<S extends { text: string }>(spans: S[], from: number, to: number): S[] {
  const out: S[] = [];
  let at = 0;
  for (const span of spans) {
    const start = Math.max(from - at, 0);
    const end = Math.min(to - at, span.text.length);
    if (end > start) out.push({ ...span, text: span.text.slice(start, end) });
    at += span.text.length;
    if (at >= to) break;
  }
  return out;
}
