/** When a program that ended is started again. Pure. */
import { parseDuration } from "../../domain/duration.ts";

export interface RestartPolicy {
  policy: "always" | "on-failure" | "never";
  count: number;
  windowMs: number;
}
const DEFAULT = { policy: "on-failure", max: "5/10m" } as const;
const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 60_000;

export function readRestartPolicy(
  restart: { policy: RestartPolicy["policy"]; max?: string | undefined } | undefined,
): RestartPolicy {
  const { policy, max = DEFAULT.max } = restart ?? DEFAULT;
  const [count, window] = max.split("/") as [string, string];
  return { policy, count: Number(count), windowMs: (parseDuration(window) ?? 600) * 1000 };
}

export const shouldRestart = (policy: RestartPolicy, code: number | null): boolean =>
  policy.policy === "always" || (policy.policy === "on-failure" && code !== 0);

/** 1 s, doubled with each restart of the window, at most 60 s; undefined when the window's restarts are used up. */
export function restartDelay(policy: RestartPolicy, restartsAt: readonly number[], now: number): number | undefined {
  const recent = restartsAt.filter((at) => now - at < policy.windowMs).length;
  if (recent >= policy.count) return undefined;
  return Math.min(FIRST_DELAY_MS * 2 ** recent, LONGEST_DELAY_MS);
}
