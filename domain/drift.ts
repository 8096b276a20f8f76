/** Whether what runs is what the version says, from what an agent saw. */
import { matchesName } from "./match_glob.ts";

export type DriftMode = "report" | "heal" | "ignore";
export type Sync = "synced" | "out_of_sync" | "unknown";
export interface Difference {
  path: string;
  expected: string;
  actual: string;
}
export interface Expected {
  /** Of the version that was deployed last; null when nobody knows. */
  version: string | null;
  mode: DriftMode;
  /** Paths of differences that do not count: themselves, what lies below them, or a glob. */
  ignore: readonly string[];
}
export interface Seen {
  version: string | null;
  health: string;
  differences: readonly Difference[] | null;
}

/** @returns the differences that count; `unknown` when nothing was compared, or nobody wants it to be */
export function judgeDrift(expected: Expected, seen: Seen): { sync: Sync; drift: Difference[] } {
  if (expected.mode === "ignore") return { sync: "unknown", drift: [] };
  const drift: Difference[] = [];
  const counts = ({ path }: Difference) => !expected.ignore.some((pattern) => covers(pattern, path));
  if (seen.health === "missing") drift.push({ path: "application", expected: "running", actual: "missing" });
  if (expected.version !== null && seen.version !== null && seen.version !== expected.version) {
    drift.push({ path: "version", expected: expected.version, actual: seen.version });
  }
  drift.push(...seen.differences ?? []);
  const left = drift.filter(counts);
  if (left.length > 0) return { sync: "out_of_sync", drift: left };
  return { sync: seen.differences !== null && seen.health !== "missing" ? "synced" : "unknown", drift: [] };
}

const covers = (pattern: string, path: string) =>
  path === pattern || path.startsWith(`${pattern}.`) || path.startsWith(`${pattern}/`) ||
  path.startsWith(`${pattern}[`) || matchesName(pattern, path);

/** `env.LOG_LEVEL` and `image` */
export function nameDifferences(drift: readonly Difference[], most = 3): string {
  const names = drift.slice(0, most).map(({ path, expected, actual }) => `${path} is ${actual}, not ${expected}`);
  return drift.length > most ? `${names.join("; ")}; and ${drift.length - most} more` : names.join("; ");
}
