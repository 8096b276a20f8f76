/** A rule that makes deployments, as plain data. */

/** What a trigger can listen to. */
export const TRIGGER_EVENTS = ["push", "tag", "cron", "deployment", "api"] as const;
export type TriggerEvent = (typeof TRIGGER_EVENTS)[number];

/** What becomes of the deployment it makes; the environment's policy may ask for more, never for less. */
export const TRIGGER_STARTS = ["auto", "approve", "manual"] as const;
export type TriggerStart = (typeof TRIGGER_STARTS)[number];

/** What a trigger said to an event; `waiting` until it has said it. */
export const TRIGGER_OUTCOMES = ["waiting", "fired", "not_fired"] as const;
export type TriggerOutcome = (typeof TRIGGER_OUTCOMES)[number];

/** What a file says of a trigger besides its name, what it listens to, its environment and its start. */
export interface TriggerRule {
  /** Versions of these branches or tags; where both are given, either will do. */
  branch?: string;
  match?: string;
  /** At least one of these files changed. */
  paths?: readonly string[];
  /** Only these applications. */
  applications?: readonly string[];
  /** cron: when, where, and what becomes of ticks for which no master was up. */
  at?: string;
  tz?: string;
  missed?: "skip" | "run_once";
  /** deployment: the environment whose deployments are waited for. */
  of?: string;
  /** How long a version must have stayed well there: of `deployment`, and of `latest-verified:...`. */
  after?: string;
  /** cron, api: `latest`, `latest-verified:ENVIRONMENT`, or a version's name. */
  version?: string;
}
