/** What people outside are told of, who is told, and when many things become one message. Pure. */
import { matchesName } from "./match_glob.ts";
import { reason } from "./reason.ts";
import type { Reason } from "./reason.ts";

export const CHANNEL_KINDS = ["webhook", "slack", "lark", "dingtalk", "wecom", "email"] as const;
export type ChannelKind = (typeof CHANNEL_KINDS)[number];
export type Language = "en" | "zh";

/**
 *   waiting --taken--> sending --accepted--> sent
 *      ^-- no, not yet --'  '-- no, for good or too often --> failed
 *   waiting --it is over already--> dropped
 */
export const DELIVERY_STATES = ["waiting", "sending", "sent", "failed", "dropped"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** What a rule can name. */
export const NOTIFICATION_EVENTS = [
  "deployment.created",
  "deployment.awaiting_approval",
  "deployment.started",
  "deployment.paused_on_failure",
  "deployment.completed",
  "deployment.failed",
  "deployment.cancelled",
  "deployment.rolling_back",
  "deployment.rolled_back",
  "deployment.rollback_failed",
  "approval.waiting",
  "application.drift",
  "application.not_healed",
  "application.unhealthy",
  "version.reverted",
  "version.builds_failed",
  "agent.offline",
] as const;
export type NotificationEvent = (typeof NOTIFICATION_EVENTS)[number];
/** Of a message that a person asked for to see whether it arrives. */
export const TEST_EVENT = "test";

/** All that it names must fit; what it leaves out fits always. */
export interface NotificationRule {
  /** Empty for every event. */
  events: NotificationEvent[];
  /** Names; `*` stands for any part of one. */
  environments?: string[];
  applications?: string[];
  /** Of the application, as its document has them: each must be there. */
  labels?: Record<string, string>;
}

export interface NotifiedApplication {
  name: string;
  labels: Record<string, string>;
}
/** One thing that happened, as a message tells it. */
export interface NotificationItem {
  event: NotificationEvent | typeof TEST_EVENT;
  /** RFC 3339. */
  at: string;
  /** Of what it happened to: a deployment, a task, an application, a version, an agent. */
  subjectId: string | null;
  name: string;
  deploymentId: string | null;
  version: string | null;
  environments: string[];
  applications: NotifiedApplication[];
  /** They are taken away from the environment. */
  removes?: true;
  reason: Reason | null;
}

/** What was recorded inside, as far as it can matter outside. */
export interface RecordedEvent {
  kind: string;
  data: { name?: unknown; reason?: Pick<Reason, "code" | "params"> | null };
}

const ASKS = [
  "task.awaiting_approval",
  "task.approval_given",
  "task.approval_given_until",
  "task.approvals_voided",
];

/** Event kind inside -> what it is called outside; a function where the reason decides. */
const OUTSIDE: Record<
  string,
  NotificationEvent | ((code: string, params: Reason["params"]) => NotificationEvent | undefined)
> = {
  "deployment.created": (code) =>
    code === "deployment.awaiting_approval" ? "deployment.awaiting_approval" : "deployment.created",
  "deployment.awaiting_approval": "deployment.awaiting_approval",
  "deployment.running": (code) => code === "deployment.resumed" ? undefined : "deployment.started",
  // A person's own pause is nothing to be told of.
  "deployment.paused": (code) => code === "deployment.paused" ? undefined : "deployment.paused_on_failure",
  "deployment.completed": "deployment.completed",
  "deployment.failed": "deployment.failed",
  "deployment.cancelled": "deployment.cancelled",
  "deployment.rolling_back": "deployment.rolling_back",
  "deployment.rolled_back": "deployment.rolled_back",
  "deployment.rollback_failed": "deployment.rollback_failed",
  // A step begins to ask, or asks anew; what a vote changes is no news.
  "task.pending": (code, { missing, count }) =>
    ASKS.includes(code) && (missing === undefined || missing === count) ? "approval.waiting" : undefined,
  "application.out_of_sync": "application.drift",
  "application.not_healed": "application.not_healed",
  "application.degraded": "application.unhealthy",
  "application.missing": "application.unhealthy",
  "version.reverted": "version.reverted",
  "version.builds_failed": "version.builds_failed",
  "agent.disconnected": "agent.offline",
};
/** Events that have to be looked at: of these kinds, and of a task that waits only with one of these reasons. */
export const TOLD_KINDS = Object.keys(OUTSIDE).filter((kind) => kind !== "task.pending");
export const TOLD_WAITS: readonly string[] = ASKS;

/** What people call it; undefined when nobody is told of it. */
export function nameOutside({ kind, data }: RecordedEvent): NotificationEvent | undefined {
  const found = OUTSIDE[kind];
  return typeof found === "function" ? found(data.reason?.code ?? "", data.reason?.params ?? {}) : found;
}

/** Whether one of a channel's rules wants it. */
export const isWanted = (rules: readonly NotificationRule[], item: NotificationItem): boolean =>
  rules.some((rule) => fits(rule, item));

function fits(rule: NotificationRule, item: NotificationItem): boolean {
  if (rule.events.length > 0 && !rule.events.includes(item.event as NotificationEvent)) return false;
  const named = (patterns: readonly string[], name: string) => patterns.some((pattern) => matchesName(pattern, name));
  const { environments, applications, labels } = rule;
  if (environments?.length && !item.environments.some((name) => named(environments, name))) return false;
  const wanted = Object.entries(labels ?? {});
  if (!applications?.length && wanted.length === 0) return true;
  return item.applications.some((app) =>
    (!applications?.length || named(applications, app.name)) &&
    wanted.every(([key, value]) => app.labels[key] === value)
  );
}

/** Seconds before a message goes out, in which others of its kind join it; what is over by then may be left out. */
export const SETTLE_SECONDS: Partial<Record<NotificationEvent, number>> = {
  "agent.offline": 60,
  "application.drift": 10,
  "application.unhealthy": 10,
};
/** Messages of one kind to one channel in a minute; what comes after them waits, and goes out as one. */
export const MOST_PER_MINUTE = 5;
export const CROWDED_SECONDS = 30;
/** A message knows so many of what it is about one by one, and tells so many; the others are in its count. */
export const ITEMS_KEPT = 500;
export const ITEMS_TOLD = 20;

/** After so many tries a message is given up: about four hours of trying. */
export const MOST_TRIES = 8;
const PAUSES = [5, 15, 60, 300, 900, 3600, 7200];
/** @returns seconds until the next try after this many; undefined when it was the last */
export const nextTryIn = (tries: number): number | undefined => tries >= MOST_TRIES ? undefined : PAUSES[tries - 1];

export interface Trouble {
  /** So many tries were made. */
  attempts: number;
  detail: string;
  /** Until the next one; undefined when it was the last. */
  pause: number | undefined;
}
/** What becomes of a message after a try that failed for now. */
export const afterTrouble = ({ attempts, detail, pause }: Trouble) =>
  pause === undefined
    ? { status: "failed" as const, reason: reason("notification.given_up", { attempt: attempts, detail }) }
    : {
      status: "waiting" as const,
      reason: reason("notification.retrying", { attempt: attempts, detail, seconds: pause }),
      againInSeconds: pause,
    };
