/** What the page behind an approval link says. */
import { type DeadLink, WHY_DEAD } from "../db/approvals/use_link.ts";

export type PageLanguage = "en" | "zh";

interface Words {
  title: string;
  removal: string;
  applications: string;
  commit: string;
  unknown: string;
  as: string;
  note: string;
  approve: string;
  reject: string;
  look: string;
  signIn: string;
  dead: string;
  why: Record<DeadLink, string>;
  unanswered: string;
  choose: string;
  refused: string;
  /** Of an error's code; its own English sentence where there is none. */
  errors: Partial<Record<string, string>>;
  done: Record<"approve" | "reject", string>;
  spent: string;
  removalSpent: string;
}

/** `{version}`, `{environment}`, `{applications}` and `{name}` are put in; the names are escaped with the rest of the page. */
export const APPROVAL_WORDS: Record<PageLanguage, Words> = {
  en: {
    title: "{version} to {environment}",
    removal: "Remove {applications} from {environment}",
    applications: "Applications",
    commit: "Commit",
    unknown: "unknown",
    as: "You answer as",
    note: "Note for the record (optional)",
    approve: "Approve",
    reject: "Reject",
    look: "Look at the deployment",
    signIn: "asks you to sign in",
    dead: "This link does nothing",
    why: WHY_DEAD,
    unanswered: "Nothing was answered",
    choose: "Go back and choose: approve or reject.",
    refused: "It did not count",
    errors: {},
    done: { approve: "Approved", reject: "Rejected" },
    spent: "{version} to {environment}, as {name}. This link is spent.",
    removalSpent: "Remove {applications} from {environment}, as {name}. This link is spent.",
  },
  zh: {
    title: "将 {version} 部署到 {environment}",
    removal: "从 {environment} 移除 {applications}",
    applications: "应用",
    commit: "提交",
    unknown: "未知",
    as: "您的身份",
    note: "备注（可选，将被记录）",
    approve: "批准",
    reject: "驳回",
    look: "查看部署",
    signIn: "需要登录",
    dead: "此链接无效",
    why: {
      unknown: "此链接不是由本系统生成，或其对象已不存在。",
      used: "此链接已被使用；每个链接只能用一次。",
      over: "此链接已过期；请索取新的链接，或登录后操作。",
      stale: "生成此链接后计划已变化，因此不再有效。",
    },
    unanswered: "没有作出答复",
    choose: "请返回并选择：批准或驳回。",
    refused: "此次答复未计入",
    errors: {
      "approval.link": "此链接已被使用，或计划已变化。",
      "approval.own": "此审批须由他人作出：这是您自己的部署或提交。",
      "approval.role": "您的角色不能答复此审批。",
      "approval.repeated": "您已对此计划作出过答复。",
      "approval.not_waiting": "现在没有什么在等待审批。",
    },
    done: { approve: "已批准", reject: "已驳回" },
    spent: "将 {version} 部署到 {environment}，答复人：{name}。此链接已失效。",
    removalSpent: "从 {environment} 移除 {applications}，答复人：{name}。此链接已失效。",
  },
};

/** The browser's first wish decides, as on the dashboard. */
export const languageOf = (accepted: string | undefined): PageLanguage =>
  accepted?.trim().toLowerCase().startsWith("zh") ? "zh" : "en";

/** A page of its own, because the dashboard's style comes with its script, and nothing here needs one. */
export const APPROVAL_CSS =
  `:root { color-scheme: light dark; font: 15px/1.5 system-ui, "PingFang SC", "Microsoft YaHei",
    "Noto Sans SC", sans-serif; --ground: #f5f7f9; --surface: #fff; --line: #c3cbd5; --ink: #16202b; --soft: #566272;
  --accent: #0b6080; --accent-ink: #fff; --danger: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #0e1217; --surface: #151b22; --line: #3b4655; --ink: #e3e9f0;
  --soft: #98a5b4; --accent: #55b9dc; --accent-ink: #06202b; --danger: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; padding: clamp(12px, 6vh, 64px) 12px; color: var(--ink); background: var(--ground); }
main { max-width: 34rem; margin: 0 auto; padding: clamp(16px, 4vw, 28px); background: var(--surface);
  border: 1px solid var(--line); border-radius: 10px; }
.brand { margin: 0 0 4px; color: var(--soft); font-size: 13px; }
h1 { margin: 0 0 8px; font-size: 1.35rem; line-height: 1.3; overflow-wrap: anywhere; }
p { margin: 0 0 12px; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(5.5rem, max-content) minmax(0, 1fr); gap: 6px 16px; margin: 16px 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
code { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; }
label { display: grid; gap: 4px; margin: 0 0 14px; font-size: 13px; font-weight: 600; }
textarea { width: 100%; padding: 8px 10px; color: inherit; background: transparent; border: 1px solid var(--line);
  border-radius: 6px; font: inherit; font-size: 15px; font-weight: 400; resize: vertical; }
.actions { display: flex; gap: 10px; margin: 0 0 18px; }
button { flex: 1; min-height: 44px; padding: 0 16px; color: var(--accent-ink); background: var(--accent);
  border: 1px solid transparent; border-radius: 6px; font: inherit; font-weight: 600; cursor: pointer; }
button[value=reject] { color: var(--danger); background: transparent; border-color: currentColor; }
button:focus-visible, textarea:focus-visible, a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
a { color: var(--accent); } small { color: var(--soft); }
`;
