/** What a message says, in the language of its channel. Pure; every channel dresses the same words. */
import type { Language, NotificationItem } from "./notification.ts";
import type { Reason } from "./reason.ts";
import { sayInstants, sayWords } from "./reason_words.ts";

export interface MessageLink {
  text: string;
  url: string;
}
export interface Message {
  title: string;
  /** One thing that happened each, with its reason. */
  lines: string[];
  links: MessageLink[];
}
/** `domain/reason.ts` in another language: code -> template. */
export type ReasonTexts = Partial<Record<string, string>>;
export interface Wording {
  language: Language;
  /** Of the dashboard, without a trailing slash. */
  publicUrl: string;
  reasons: ReasonTexts;
}

/** `one|many`; `{what}` is one thing, `{count}` and `{names}` are many. */
const TITLES: Record<
  Language,
  Record<NotificationItem["event"] | "removed" | "removal" | "open" | "and_more", string>
> = {
  en: {
    "deployment.created": "Planned: {what}|{count} deployments are planned: {names}",
    "deployment.awaiting_approval": "Approval wanted: {what}|{count} deployments want approval: {names}",
    "deployment.started": "Started: {what}|{count} deployments have started: {names}",
    "deployment.paused_on_failure": "Your decision is wanted: {what}|{count} deployments want a decision: {names}",
    "deployment.completed": "Deployed: {what}|{count} deployments are completed: {names}",
    "deployment.failed": "Failed: {what}|{count} deployments failed: {names}",
    "deployment.cancelled": "Cancelled: {what}|{count} deployments were cancelled: {names}",
    "deployment.rolling_back": "Rolling back: {what}|{count} deployments are rolling back: {names}",
    "deployment.rolled_back": "Rolled back: {what}|{count} deployments were rolled back: {names}",
    "deployment.rollback_failed": "Rollback FAILED: {what}|{count} rollbacks FAILED: {names}",
    "approval.waiting": "Approval wanted: {what}|{count} steps want approval: {names}",
    "application.drift": "Out of sync: {what}|{count} places are out of sync: {names}",
    "application.not_healed": "Not healed: {what}|{count} applications could not be healed: {names}",
    "application.unhealthy": "Unhealthy: {what}|{count} places are unhealthy: {names}",
    "version.reverted": "Marked as reverted: {what}|{count} versions were marked as reverted: {names}",
    "version.builds_failed": "Artifacts are missing: {what}|Artifacts of {count} versions are missing: {names}",
    "agent.offline": "Offline: {what}|{count} agents are offline: {names}",
    "test": "Test message from Boreas",
    "removed": "Done: {what}|{count} removals are completed: {names}",
    "removal": "removal of {who} from {where}",
    "open": "Open in Boreas",
    "and_more": "{names} and {count} more",
  },
  zh: {
    "deployment.created": "已计划：{what}|已计划 {count} 个部署：{names}",
    "deployment.awaiting_approval": "等待审批：{what}|{count} 个部署等待审批：{names}",
    "deployment.started": "已启动：{what}|已启动 {count} 个部署：{names}",
    "deployment.paused_on_failure": "需要您决定：{what}|{count} 个部署需要决定：{names}",
    "deployment.completed": "部署完成：{what}|{count} 个部署已完成：{names}",
    "deployment.failed": "部署失败：{what}|{count} 个部署失败：{names}",
    "deployment.cancelled": "已取消：{what}|已取消 {count} 个部署：{names}",
    "deployment.rolling_back": "正在回滚：{what}|{count} 个部署正在回滚：{names}",
    "deployment.rolled_back": "已回滚：{what}|{count} 个部署已回滚：{names}",
    "deployment.rollback_failed": "回滚失败：{what}|{count} 个回滚失败：{names}",
    "approval.waiting": "等待审批：{what}|{count} 个步骤等待审批：{names}",
    "application.drift": "配置漂移：{what}|{count} 处发生漂移：{names}",
    "application.not_healed": "未能自愈：{what}|{count} 个应用未能自愈：{names}",
    "application.unhealthy": "运行异常：{what}|{count} 处运行异常：{names}",
    "version.reverted": "已标记为回退：{what}|{count} 个版本已标记为回退：{names}",
    "version.builds_failed": "制品缺失：{what}|{count} 个版本的制品缺失：{names}",
    "agent.offline": "离线：{what}|{count} 个代理离线：{names}",
    "test": "来自 Boreas 的测试消息",
    "removed": "已完成：{what}|已完成 {count} 个移除：{names}",
    "removal": "从 {where} 移除 {who}",
    "open": "在 Boreas 中打开",
    "and_more": "{names} 等，另有 {count} 个",
  },
};
/** So many are named in a title. */
const NAMED = 3;

/** @param items what the message tells one by one; never empty. @param count how many there are in all */
export function sayMessage(items: readonly NotificationItem[], count: number, wording: Wording): Message {
  const { language } = wording;
  const words = TITLES[language];
  const { event } = items[0]!;
  const isRemoved = event === "deployment.completed" && items.every(({ removes }) => removes);
  const [one, many = one] = words[isRemoved ? "removed" : event].split("|") as [string, string?];
  const names = [...new Set(items.map((item) => sayWhat(item, language)))];
  const title = count === 1
    ? fill(one, { what: names[0]! })
    : fill(many, { count, names: sayNames(names, count, words["and_more"], language) });
  const lines = items.flatMap((item) => {
    const said = item.reason ? sayInstants(sayReason(item.reason, wording.reasons), language) : "";
    if (count === 1) return said ? [said] : [];
    return [said ? `${sayWhat(item, language)}: ${said}` : sayWhat(item, language)];
  });
  return { title, lines, links: [{ text: words["open"], url: wording.publicUrl + pathOf(items, count) }] };
}

export function sayReason(reason: Reason, texts: ReasonTexts): string {
  const template = texts[reason.code];
  return template === undefined ? reason.text : fill(template, sayWords(reason.params, texts));
}

const fill = (template: string, params: Record<string, string | number>): string =>
  template.replace(/\{(\w+)\}/g, (whole, name) => name in params ? String(params[name]) : whole);

function sayNames(names: readonly string[], count: number, more: string, language: Language): string {
  const told = names.slice(0, NAMED).join(language === "zh" ? "、" : ", ");
  const rest = count - Math.min(NAMED, names.length);
  return rest > 0 ? fill(more, { names: told, count: rest }) : told;
}

/** `order, user v1.2 → prod` */
function sayWhat(
  { event, name, version, environments, applications, removes }: NotificationItem,
  language: Language,
): string {
  if (event === "agent.offline") return name;
  const apps = applications.map((app) => app.name);
  const who = apps.length > NAMED
    ? fill(TITLES[language]["and_more"], {
      names: apps.slice(0, NAMED).join(", "),
      count: apps.length - NAMED,
    })
    : apps.join(", ");
  if (removes) return fill(TITLES[language]["removal"], { who, where: environments.join(", ") });
  const subject = [who || name, version].filter(Boolean).join(" ");
  return environments.length > 0 ? `${subject} → ${environments.join(", ")}` : subject;
}

/** Where the dashboard shows it. */
function pathOf(items: readonly NotificationItem[], count: number): string {
  const [{ event, deploymentId, subjectId }] = items as [NotificationItem];
  if (count > 1 && event.startsWith("deployment.")) return "/deployments";
  if (deploymentId) return `/deployments/${deploymentId}`;
  if (event.startsWith("agent.")) return "/agents";
  if (event.startsWith("version.")) return subjectId ? `/versions/${subjectId}` : "/versions";
  if (event.startsWith("application.")) {
    return count === 1 && subjectId ? `/applications/${subjectId}` : "/applications";
  }
  return "/";
}
