/** Versions of the product: `1.2.3`, and `1.2.3-rc.1` before it. */
export const RELEASE = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/** @returns below zero when `a` is older, above when it is newer; words that are no version are as old as each other */
export function compareReleases(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)];
  for (let i = 0; i < 3; i++) if (left.numbers[i] !== right.numbers[i]) return left.numbers[i]! - right.numbers[i]!;
  if (left.candidate === right.candidate) return 0;
  // A candidate comes before the release that it is one of.
  if (left.candidate === "" || right.candidate === "") return left.candidate === "" ? 1 : -1;
  return left.candidate.localeCompare(right.candidate, "en", { numeric: true });
}

function parse(version: string): { numbers: number[]; candidate: string } {
  if (!RELEASE.test(version)) return { numbers: [0, 0, 0], candidate: "" };
  const at = version.indexOf("-");
  const core = at < 0 ? version : version.slice(0, at);
  return { numbers: core.split(".").map(Number), candidate: at < 0 ? "" : version.slice(at + 1) };
}
