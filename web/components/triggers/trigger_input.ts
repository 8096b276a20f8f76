/** What a person fills in of a trigger, and the body that it becomes. Pure. */
import type { Trigger } from "../../../protocol/http_api.ts";

export const KINDS = ["push", "tag", "cron", "deployment", "api"] as const;
export type Kind = (typeof KINDS)[number];

/** Every field as its control holds it; which of them count, the kind says. */
export interface TriggerInput {
  name: string;
  on: Kind;
  environmentId: string;
  start: Trigger["start"];
  /** Empty: of any repository. */
  repositoryId: string;
  enabled: boolean;
  branch: string;
  match: string;
  paths: string;
  applications: string;
  at: string;
  tz: string;
  missed: string;
  of: string;
  after: string;
  version: string;
}
type RuleKey = "branch" | "match" | "paths" | "applications" | "at" | "tz" | "missed" | "of" | "after" | "version";

const ORIGIN = ["branch", "match"] as const;
const FILTERS = ["paths", "applications"] as const;
/** As the grammar has them; what is not listed for a kind is not sent with it. */
export const RULE_KEYS: Record<Kind, readonly RuleKey[]> = {
  push: ["branch", ...FILTERS],
  tag: ["match", ...FILTERS],
  cron: ["at", "tz", "missed", "version", "after", ...ORIGIN, ...FILTERS],
  deployment: ["of", "after", ...ORIGIN, ...FILTERS],
  api: ["version", "after", ...ORIGIN, ...FILTERS],
};

export function inputOf(trigger: Trigger | undefined, timeZone: string): TriggerInput {
  const rule = (trigger?.rule ?? {}) as Partial<Record<RuleKey, string | string[]>>;
  const text = (key: RuleKey, unless = "") => {
    const value = rule[key];
    return Array.isArray(value) ? value.join(key === "paths" ? "\n" : ", ") : value ?? unless;
  };
  return {
    name: trigger?.name ?? "",
    on: trigger?.on ?? "push",
    environmentId: trigger?.environmentId ?? "",
    start: trigger?.start ?? "manual",
    repositoryId: trigger?.repositoryId ?? "",
    enabled: trigger?.enabled ?? true,
    branch: text("branch"),
    match: text("match"),
    paths: text("paths"),
    applications: text("applications"),
    at: text("at", trigger ? "" : "0 3 * * 1-5"),
    tz: text("tz", trigger ? "UTC" : timeZone),
    missed: text("missed", "skip"),
    of: text("of"),
    after: text("after"),
    version: text("version"),
  };
}

/** Of patterns one a line, for `{a,b}` and a blank may stand in one. */
const list = (key: "paths" | "applications", text: string) =>
  text.split(key === "paths" ? /\n/ : /[\s,]+/).map((part) => part.trim()).filter(Boolean);

export function ruleOf(input: TriggerInput): Record<string, unknown> {
  const given = RULE_KEYS[input.on].map((key): [string, unknown] => {
    const text = input[key].trim();
    if (text === "") return [key, undefined];
    return [key, key === "paths" || key === "applications" ? list(key, text) : text];
  });
  return { on: input.on, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) };
}

/** A body of `POST /triggers`, or of `PATCH /triggers/:id`. */
export function bodyOf(input: TriggerInput, isNew: boolean): Record<string, unknown> {
  const { name, environmentId, start, enabled } = input;
  const own = { name: name.trim(), environmentId, start, enabled, repositoryId: input.repositoryId || null };
  return isNew ? { ...own, ...ruleOf(input) } : { ...own, rule: ruleOf(input) };
}

/** Of a refused body: field -> why. */
export const errorsByField = (errors: readonly { path: string; message: string }[]): Record<string, string> =>
  Object.fromEntries(errors.map(({ path, message }) => [path.replace(/^rule\./, "").split(".")[0]!, message]));
