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

const SECOND = 1000;
const HOUR = 3600 * SECOND;
/** Tries in an hour, of one application on one target; what comes back again and again wants a person. */
export const HEALS_PER_HOUR = 4;
/** After the first, second and third try of an hour. */
const HEAL_PAUSES = [60 * SECOND, 5 * 60 * SECOND, 15 * 60 * SECOND];

/** @param tries when it was tried, in milliseconds. @returns the earliest instant of the next try */
export function nextHealAt(tries: readonly number[], now: number): number {
  const recent = tries.filter((at) => at > now - HOUR).sort((a, b) => a - b);
  if (recent.length === 0) return now;
  if (recent.length >= HEALS_PER_HOUR) return recent.at(-HEALS_PER_HOUR)! + HOUR;
  return recent.at(-1)! + HEAL_PAUSES[recent.length - 1]!;
}

/** `env.LOG_LEVEL is debug, not info; image is ...` */
export function nameDifferences(drift: readonly Difference[], most = 3): string {
  const names = drift.slice(0, most).map(({ path, expected, actual }) => `${path} is ${actual}, not ${expected}`);
  return drift.length > most ? `${names.join("; ")}; and ${drift.length - most} more` : names.join("; ");
}
