/** Lines that contain a text, found in slices so that a million lines never hold up a frame. */
export interface LogSearch {
  /** Looks at up to `budget` more lines; true when it has seen all there are. */
  advance(count: number, budget: number): boolean;
  /** Indexes of matching lines, ascending. */
  matches: number[];
}

export function createLogSearch(query: string, text: (line: number) => string): LogSearch {
  const wanted = query.toLowerCase();
  const matches: number[] = [];
  let seen = 0;
  return {
    matches,
    advance(count, budget) {
      // The last line may have grown since it was looked at: it is looked at again, and only added once.
      const end = Math.min(count, seen + budget);
      for (let line = seen; line < end; line++) {
        if (text(line).toLowerCase().includes(wanted) && matches.at(-1) !== line) matches.push(line);
      }
      seen = end === count ? Math.max(0, count - 1) : end;
      return end === count;
    },
  };
}

/** Splits spans so that each occurrence of the query stands alone, marked. */
export function markMatches<S extends { text: string }>(spans: S[], query: string): (S & { isMatch?: boolean })[] {
  if (!query) return spans;
  const wanted = query.toLowerCase();
  const whole = spans.map((span) => span.text).join("").toLowerCase();
  const cuts: [number, number][] = [];
  for (let at = whole.indexOf(wanted); at >= 0; at = whole.indexOf(wanted, at + wanted.length)) {
    cuts.push([at, at + wanted.length]);
  }
  if (cuts.length === 0) return spans;
  const out: (S & { isMatch?: boolean })[] = [];
  let start = 0;
  for (const span of spans) {
    const end = start + span.text.length;
    let at = start;
    for (const [from, to] of cuts) {
      if (to <= at || from >= end) continue;
      if (from > at) out.push({ ...span, text: span.text.slice(at - start, from - start) });
      const left = Math.max(from, at);
      const right = Math.min(to, end);
      out.push({ ...span, text: span.text.slice(left - start, right - start), isMatch: true });
      at = right;
    }
    if (at < end) out.push({ ...span, text: span.text.slice(at - start) });
    start = end;
  }
  return out;
}
