import fc from "../tests/helpers/fast_check.ts";
import picomatch from "picomatch";
import { describe, expect, it } from "vitest";
import { matchesName, pathMatcher } from "./match_glob.ts";

const matches = (pattern: string, path: string) => pathMatcher([pattern])(path);

describe("a path glob", () => {
  it.each([
    ["services/order/**", "services/order/src/main.ts", true],
    ["services/order/**", "services/order/x", true],
    ["services/order/**", "services/orders/x", false],
    ["**/*.md", "README.md", true],
    ["**/*.md", "docs/a/b.md", true],
    ["*.md", "docs/b.md", false],
    ["boreas.yaml", "boreas.yaml", true],
    ["boreas.yaml", "x/boreas.yaml", false],
    ["services/*/boreas.yaml", "services/order/boreas.yaml", true],
    ["services/*/boreas.yaml", "services/a/b/boreas.yaml", false],
    ["{boreas,deploy}.{yaml,yml}", "deploy.yml", true],
    ["{a,{b,c}}.x", "c.x", true],
    ["a/**/z", "a/z", true],
    ["a/**/z", "a/b/c/z", true],
    ["file?.txt", "file1.txt", true],
    ["file?.txt", "file.txt", false],
    ["a.b", "axb", false],
    ["(a|b)+", "a", false],
  ])("%s on %s is %s", (pattern, path, expected) => expect(matches(pattern, path)).toBe(expected));

  it("agrees with picomatch wherever both speak the same language", () => {
    const part = fc.constantFrom("a", "b", "ab", "*", "a*", "*b", "?", "**");
    const segment = fc.constantFrom("a", "b", "ab", "aab", "ba");
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 4 }),
        fc.array(segment, { minLength: 1, maxLength: 4 }),
        (p, s) => {
          // picomatch reads a `**` at the end after a wildcard as "at least one more"; ours as "any number" everywhere.
          fc.pre(p.at(-1) !== "**" || (p.length > 1 && /^[ab]+$/.test(p.at(-2)!)));
          const pattern = p.join("/"), path = s.join("/");
          expect([pattern, path, matches(pattern, path)]).toEqual([pattern, path, picomatch.isMatch(path, pattern)]);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("answers in no time for a pattern made to be slow", () => {
    const pattern = "*a".repeat(200) + "b";
    expect(matches(pattern, "a".repeat(2000))).toBe(false);
    expect(matches("**/".repeat(300) + "b", "a/".repeat(300) + "a")).toBe(false);
    expect(matches("{a,b}".repeat(400), "c")).toBe(false);
  });
});

describe("a name pattern", () => {
  it("lets a star match slashes", () => {
    expect(matchesName("release*", "release/1.2")).toBe(true);
    expect(matchesName("v*", "v1.2.3")).toBe(true);
    expect(matchesName("v*", "nightly")).toBe(false);
    expect(matchesName("main", "main")).toBe(true);
    expect(matchesName("{main,develop}", "develop")).toBe(true);
  });
});
