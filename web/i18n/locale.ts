/** The page's language. English is always there; Chinese is loaded when it is chosen. */
import { signal } from "@preact/signals";
import { sayWords } from "../../domain/reason_words.ts";
import type { Reason } from "../../domain/reason.ts";
import { en } from "./en.ts";
import type { TimeWords } from "../text/time_text.ts";

export type MessageKey = keyof typeof en;
export type Locale = "en" | "zh";
export type Params = Record<string, string | number>;

export const locale = signal<Locale>("en");
let messages: Record<string, string> = en;
let reasons: Partial<Record<string, string>> = {};
const STORED = "boreas.locale";

export async function setLocale(next: Locale): Promise<void> {
  if (next === "zh") {
    const [{ zh }, { reasonsZh }] = await Promise.all([import("./zh.ts"), import("./reasons_zh.ts")]);
    messages = zh;
    reasons = reasonsZh;
  } else {
    messages = en;
    reasons = {};
  }
  locale.value = next;
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  localStorage.setItem(STORED, next);
}

/** The remembered language, else the browser's. */
export async function startLocale(): Promise<void> {
  const wanted = localStorage.getItem(STORED) ?? navigator.language;
  if (wanted.startsWith("zh")) await setLocale("zh");
}

/** `one deployment|{count} deployments`: the first form is for a count of one. */
export const say = (template: string, params: Params = {}): string => {
  const forms = template.split("|");
  const form = forms.length > 1 && params.count === 1 ? forms[0]! : forms.at(-1)!;
  return form.replace(/\{(\w+)\}/g, (whole, name) => name in params ? String(params[name]) : whole);
};

export function t(key: MessageKey, params?: Params): string {
  void locale.value;
  return say(messages[key] ?? en[key], params);
}

/** A role that the team added is called what the team calls it. */
export const roleText = (role: string): string => `role.${role}` in en ? t(`role.${role}` as MessageKey) : role;

/** A key made of a state's name; a state this page does not know yet is shown as it is. */
export function tState(
  kind:
    | "deployment"
    | "task"
    | "health"
    | "agent"
    | "delivery"
    | "version"
    | "builds"
    | "sync"
    | "environment"
    | "trigger"
    | "type",
  state: string,
): string {
  const key = `state.${kind}.${state}`;
  return key in en ? t(key as MessageKey) : state.replaceAll("_", " ");
}

/** As a person reads it: in the page's language, and instants by the person's own clock. */
export function reasonText(reason: Reason): string {
  void locale.value;
  const params = Object.fromEntries(
    Object.entries(reason.params).map(([name, value]) => [
      name,
      name === "answer" || name === "choice" ? answerText(String(value)) : value,
    ]),
  );
  return sayReason({ ...reason, params }, reasons).replace(INSTANT, instantText);
}

const INSTANT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;

/** What a question answers itself with. */
function answerText(answer: string): string {
  const key = answer === "rollback" ? "deployment.do.rollback" : `question.do.${answer}`;
  return key in en ? t(key as MessageKey) : answer;
}

export function sayReason(reason: Reason, templates: Partial<Record<string, string>>): string {
  const template = templates[reason.code];
  return template ? say(template.replaceAll("|", "\u2758"), sayWords(reason.params, templates)) : reason.text;
}

export const timeWords = (): TimeWords => ({
  day: t("time.day"),
  hour: t("time.hour"),
  minute: t("time.minute"),
  second: t("time.second"),
  now: t("time.now"),
  ago: (text) => t("time.ago", { text }),
  ahead: (text) => t("time.ahead", { text }),
});

export const instantText = (instant: string): string =>
  new Date(instant).toLocaleString(locale.value === "zh" ? "zh-CN" : "en-GB", {
    dateStyle: "medium",
    timeStyle: "medium",
  });
