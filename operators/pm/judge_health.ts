/**
 * Did a release turn bad? Judged over looks at it that follow each other; a single bad answer is no judgement.
 *
 *   good --`fall` degraded looks in a row | it ended or restarted | it is down for good--> bad --good for so long--> good
 *
 * Pure; time is passed in, in milliseconds.
 */
import type { Observed } from "../operator.ts";

export interface Judged {
  /** Restarts at the last look. */
  restarts: number | undefined;
  /** Degraded looks in a row. */
  fallen: number;
  bad: { why: string; lastAt: number } | undefined;
}
export const UNJUDGED: Judged = { restarts: undefined, fallen: 0, bad: undefined };

type Look = Pick<Observed, "health" | "details">;

/** @param fall degraded looks in a row that count; @param holdMs how long it stays bad after the last bad sign */
export function judgeHealth(before: Judged, look: Look, rule: { fall: number; holdMs: number }, now: number): Judged {
  const restarts = typeof look.details.restarts === "number" ? look.details.restarts : before.restarts;
  const hasRestarted = restarts !== undefined && before.restarts !== undefined && restarts > before.restarts;
  const fallen = look.health === "degraded" ? before.fallen + 1 : look.health === "healthy" ? 0 : before.fallen;
  const trouble = typeof look.details.trouble === "string" ? look.details.trouble : undefined;
  const why = look.health === "missing"
    ? `it is not running${trouble ? `: ${trouble}` : ", and nothing starts it again"}`
    : hasRestarted
    ? `it ended and was started again${trouble ? `: ${trouble}` : ""}`
    : fallen >= rule.fall
    ? `${trouble ?? "its health check fails"}, ${rule.fall} times in a row`
    : undefined;
  if (why !== undefined) return { restarts, fallen, bad: { why: before.bad?.why ?? why, lastAt: now } };
  const isOver = before.bad !== undefined && now - before.bad.lastAt >= rule.holdMs;
  return { restarts, fallen, bad: isOver ? undefined : before.bad };
}
