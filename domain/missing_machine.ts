/**
 * What is done about a machine that is not there when its turn comes. Pure.
 *
 *   its turn, and it is away --waits, visibly--> it comes back: goes on
 *                                            '-> the deadline passes: left out (and caught up later), or failed
 */
import { parseDuration } from "./duration.ts";

/** Of an environment, in its `config`: `offline: {action: wait | skip | fail, deadline: 15m}`. */
export interface OfflinePolicy {
  action: "wait" | "skip" | "fail";
  deadline?: string;
}
export const DEFAULT_POLICY: OfflinePolicy = { action: "wait" };
/** `skip` and `fail` decide soon, but not while a line that broke is just being mended. */
const DEADLINES = { wait: "15m", skip: "30s", fail: "30s" } as const;

export interface MissingMachine {
  status: "connected" | "disconnected" | "revoked";
  cordoned: boolean;
  /** Since when the task could have gone and its machine was not there, in milliseconds. */
  since: number;
  /** It brings back what ran before: that must end, and leaves nobody out. */
  isRollback: boolean;
}
export interface MissingFate {
  /** In milliseconds: when it is given up. */
  until: number;
  then: "skip" | "fail";
  why: "offline" | "cordoned" | "revoked";
}

export function decideMissing(machine: MissingMachine, policy: OfflinePolicy = DEFAULT_POLICY): MissingFate {
  const why = machine.status === "revoked" ? "revoked" : machine.cordoned ? "cordoned" : "offline";
  const then = policy.action === "skip" && !machine.isRollback ? "skip" : "fail";
  // Nobody comes back from a revocation; and a cordon is no accident that mends itself, so nothing is gained by waiting.
  const isOver = why === "revoked" || (why === "cordoned" && !machine.isRollback && machine.status === "connected");
  if (isOver) return { until: machine.since, then: machine.isRollback || why === "revoked" ? then : "skip", why };
  const seconds = parseDuration(policy.deadline ?? DEADLINES[policy.action])!;
  return { until: machine.since + seconds * 1000, then, why };
}
