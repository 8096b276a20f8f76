/** One try to tell one channel one thing. */
import { ITEMS_TOLD, type NotificationItem } from "../../domain/notification.ts";
import { type Message, type MessageLink, type ReasonTexts, sayMessage } from "../../domain/notification_text.ts";
import type { SendMail } from "../../domain/mail.ts";
import type { CheckOutgoing, OutgoingFetch } from "../../domain/outgoing_check.ts";
import type { Clock } from "../../domain/ports.ts";
import type { ClaimedMessage } from "../../db/notifications/claim_messages.ts";
import type { NotificationTarget } from "../../protocol/api/notifications.ts";
import { callOut, OutgoingError, readText } from "../gitops/outgoing_http.ts";
import { dressCall } from "./chat_messages.ts";

export interface SendDeps {
  clock: Clock;
  leaseSeconds: number;
  fetch: OutgoingFetch;
  checkOutgoing: CheckOutgoing;
  sendMail: SendMail;
  /** Of the dashboard, without a trailing slash. */
  publicUrl: string;
  /** Reasons in Chinese. */
  reasonsZh: ReasonTexts;
  /** Links that act in a person's name, once each; for channels that are one person's. */
  approvalLinks?: (
    item: NotificationItem,
    reader: { projectId: string; userId: string; language: "en" | "zh" },
  ) => Promise<MessageLink[]>;
}

/** It will not be taken, however often it is sent. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}
/** No call outlasts the lease of its message, or somebody else would send it too. */
const callMs = ({ leaseSeconds }: SendDeps) => Math.min(10, leaseSeconds / 2) * 1000;
const ANSWER_BYTES = 64_000;
const SAID_LENGTH = 300;

/**
 * @returns where it went, for people to read
 * @throws OutgoingError, RefusedError
 */
export async function sendMessage(
  deps: SendDeps,
  claimed: ClaimedMessage,
  target: NotificationTarget,
): Promise<string> {
  const message = await word(deps, claimed);
  if (target.kind === "email") return await mail(deps, claimed, target, message);
  const { host } = new URL(target.url);
  const { id, event, count } = claimed;
  const items = claimed.items.slice(0, ITEMS_TOLD);
  const call = dressCall(target, { id, event, count, items, message, now: deps.clock.now().getTime() });
  const { url, headers, body } = call;
  await callOut(deps, url, { method: "POST", headers, body, timeoutMs: callMs(deps) }, async (response) => {
    const answer = (await readText(response, ANSWER_BYTES)).trim();
    const said = answer.replace(/\s+/g, " ").slice(0, SAID_LENGTH);
    if (response.status === 410) throw new RefusedError(`${host} answers 410: the address is gone for good`);
    if (!response.ok) throw new OutgoingError(`${host} answers ${response.status}${said ? `: ${said}` : ""}`);
    const refusal = call.refusal(answer);
    if (refusal !== undefined) throw new OutgoingError(`${host}: ${refusal.slice(0, SAID_LENGTH)}`);
  });
  return host;
}

async function word(deps: SendDeps, { projectId, items, count, language, userId }: ClaimedMessage): Promise<Message> {
  const reasons = language === "zh" ? deps.reasonsZh : {};
  const message = sayMessage(items.slice(0, ITEMS_TOLD), count, { language, publicUrl: deps.publicUrl, reasons });
  if (!userId || count !== 1 || !deps.approvalLinks) return message;
  return {
    ...message,
    links: [...await deps.approvalLinks(items[0]!, { projectId, userId, language }), ...message.links],
  };
}

async function mail(
  deps: SendDeps,
  { id }: ClaimedMessage,
  target: Extract<NotificationTarget, { kind: "email" }>,
  message: Message,
): Promise<string> {
  const { host, port, security, username, password, from, to } = target;
  const addresses = await deps.checkOutgoing(`smtp://${host.includes(":") ? `[${host}]` : host}:${port}`);
  await deps.sendMail({
    ...{ host, addresses, port, security, from, to, subject: message.title },
    login: username !== undefined && password !== undefined ? { username, password } : undefined,
    text: [...message.lines, ...message.links.map((link) => `${link.text}: ${link.url}`)].join("\n\n"),
    messageId: `<${id}@${from.split("@").at(-1)}>`,
    timeoutMs: callMs(deps),
  });
  return to.join(", ");
}
