/**
 * Globs over repository paths and ref names: `*` and `?` within a segment, `**` over any number of segments, `{a,b}` as
 * alternatives. Patterns come from people's files, so matching is a table of (pattern, text) positions: its time is the
 * product of both lengths, whatever the pattern says. No character classes, no negation.
 */
const MAX_ALTERNATIVES = 256;

/** A matcher for paths with `/`. A pattern that ends in `/` or names a folder matches all below it only with `/**`. */
export function pathMatcher(patterns: readonly string[]): (path: string) => boolean {
  const compiled = patterns.flatMap(expandBraces).map((pattern) => pattern.split("/"));
  return (path) => {
    const segments = path.split("/");
    return compiled.some((pattern) => matchSegments(pattern, segments));
  };
}

/** For names of branches and tags: here `*` also matches slashes, as `release*` is expected to. */
export const matchesName = (pattern: string, name: string): boolean =>
  expandBraces(pattern).some((p) => matchText(p.replaceAll(/\*+/g, "*"), name));

function matchSegments(pattern: readonly string[], path: readonly string[]): boolean {
  // reachable[j]: pattern so far matches the first j segments
  let reachable = path.map(() => false);
  reachable.push(false);
  reachable[0] = true;
  for (const part of pattern) {
    const next = reachable.map(() => false);
    if (part === "**") {
      let seen = false;
      for (let j = 0; j < next.length; j++) next[j] = seen = seen || reachable[j]!;
    } else {
      for (let j = 1; j < next.length; j++) next[j] = reachable[j - 1]! && matchText(part, path[j - 1]!);
    }
    reachable = next;
  }
  return reachable.at(-1)!;
}

/** `*` and `?` over one text. On a mismatch only the last star is tried again, which suffices and keeps it quadratic. */
function matchText(pattern: string, text: string): boolean {
  let p = 0, t = 0, star = -1, starAt = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      starAt = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++starAt;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** `a{b,c}d` -> `abd`, `acd`; inner braces too. Unbalanced ones stand for themselves. */
function expandBraces(pattern: string): string[] {
  let done: string[] = [pattern];
  for (let round = 0; round < 16; round++) {
    const next = done.flatMap((text) => {
      const match = /\{([^{}]*,[^{}]*)\}/.exec(text);
      if (!match) return [text];
      const [before, after] = [text.slice(0, match.index), text.slice(match.index + match[0].length)];
      return match[1]!.split(",").map((choice) => before + choice + after);
    });
    if (next.length === done.length || next.length > MAX_ALTERNATIVES) return next.slice(0, MAX_ALTERNATIVES);
    done = next;
  }
  return done;
}
