/** The same words, dressed for each kind of channel: address, headers and body of one call, and how its answer is read. */
import { hmacSha256 } from "../../protocol/webhooks/signature.ts";
import type { NotificationItem } from "../../domain/notification.ts";
import type { Message } from "../../domain/notification_text.ts";
import type { NotificationTarget } from "../../protocol/api/notifications.ts";

export interface Call {
  url: string;
  headers: Record<string, string>;
  body: string;
  /** undefined when the other side took it, else what it says; of answers with status 2xx. */
  refusal(answer: string): string | undefined;
}
export interface Content {
  /** The delivery's: the same at every try. */
  id: string;
  event: string;
  count: number;
  items: readonly NotificationItem[];
  message: Message;
  /** Milliseconds since 1970, by the wall clock. */
  now: number;
}
type Target<K extends NotificationTarget["kind"]> = Extract<NotificationTarget, { kind: K }>;

export function dressCall(target: Exclude<NotificationTarget, { kind: "email" }>, content: Content): Call {
  switch (target.kind) {
    case "webhook":
      return webhookCall(target, content);
    case "slack":
      return jsonCall(target.url, { text: slackText(content.message) }, (answer) => {
        const said = answer.trim();
        return said === "ok" || said === "" || said.startsWith("{") ? undefined : said;
      });
    case "lark":
      return larkCall(target, content);
    case "dingtalk":
      return dingtalkCall(target, content);
    case "wecom":
      return jsonCall(target.url, {
        msgtype: "markdown",
        markdown: { content: cutBytes(markdown(content.message), WECOM_BYTES) },
      }, robotRefusal("errcode", "errmsg"));
  }
}

/** Standard Webhooks: what is signed is `id.timestamp.body`. */
function webhookCall({ url, secret }: Target<"webhook">, content: Content): Call {
  const { id, event, count, items, message, now } = content;
  const body = JSON.stringify({
    type: event,
    timestamp: items[0]!.at,
    data: { count, title: message.title, text: message.lines, url: message.links[0]?.url, links: message.links, items },
  });
  const timestamp = String(Math.floor(now / 1000));
  const signature = toBase64(hmacSha256(signingKey(secret), `${id}.${timestamp}.`, body));
  return {
    ...jsonCall(url, undefined, () => undefined),
    headers: {
      ...JSON_HEADERS,
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${signature}`,
    },
    body,
  };
}

/** The robot's key is the text to be signed, and nothing is signed with it. */
function larkCall({ url, secret }: Target<"lark">, { message, now }: Content): Call {
  const timestamp = String(Math.floor(now / 1000));
  const signed = secret === undefined ? {} : { timestamp, sign: toBase64(hmacSha256(`${timestamp}\n${secret}`, "")) };
  const content = [
    ...message.lines.map((text) => [{ tag: "text", text }]),
    message.links.flatMap((link) => [{ tag: "a", text: link.text, href: link.url }, { tag: "text", text: "  " }]),
  ];
  return jsonCall(url, {
    ...signed,
    msg_type: "post",
    content: { post: { zh_cn: { title: message.title, content } } },
  }, robotRefusal("code", "msg"));
}

function dingtalkCall({ url, secret }: Target<"dingtalk">, { message, now }: Content): Call {
  const address = new URL(url);
  if (secret !== undefined) {
    const timestamp = String(now);
    address.searchParams.set("timestamp", timestamp);
    address.searchParams.set("sign", toBase64(hmacSha256(secret, `${timestamp}\n${secret}`)));
  }
  return jsonCall(address.href, {
    msgtype: "markdown",
    markdown: { title: message.title, text: cutBytes(markdown(message), DINGTALK_BYTES) },
  }, robotRefusal("errcode", "errmsg"));
}

const JSON_HEADERS = { "content-type": "application/json; charset=utf-8" };
const jsonCall = (url: string, body: unknown, refusal: Call["refusal"]): Call => ({
  url,
  headers: JSON_HEADERS,
  body: JSON.stringify(body),
  refusal,
});

/** These answer 200 also to what they do not take, and say so by a number. */
const robotRefusal = (code: string, text: string) => (answer: string): string | undefined => {
  try {
    const said = JSON.parse(answer) as Record<string, unknown>;
    if (said[code] === undefined || said[code] === 0) return undefined;
    return `it answers ${String(said[code])}: ${String(said[text] ?? "no reason")}`;
  } catch (error: unknown) {
    if (error instanceof SyntaxError) return "it answers with something that is no JSON; check the address";
    throw error;
  }
};

const WECOM_BYTES = 4096;
const DINGTALK_BYTES = 18_000;

const slackText = ({ title, lines, links }: Message): string =>
  [
    `*${escapeSlack(title)}*`,
    ...lines.map(escapeSlack),
    links.map(({ text, url }) => `<${url}|${escapeSlack(text)}>`).join("  "),
  ].join("\n");
const escapeSlack = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

const markdown = ({ title, lines, links }: Message): string =>
  [`### ${plain(title)}`, ...lines.map(plain), links.map(({ text, url }) => `[${text}](${url})`).join("  ")].join(
    "\n\n",
  );
/** What people wrote is text: it makes no links and no headings. */
const plain = (text: string) => text.replace(/[\\`*_[\]<>#|~]/g, (c) => `\\${c}`).replace(/\s+/g, " ");

function cutBytes(text: string, most: number): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= most) return text;
  return new TextDecoder().decode(bytes.slice(0, most - 3)).replace(/\uFFFD+$/, "") + "…";
}

/** `whsec_...` holds the key in base64; any other secret is the key itself. */
const signingKey = (secret: string): Uint8Array =>
  secret.startsWith("whsec_")
    ? Uint8Array.from(atob(secret.slice("whsec_".length)), (c) => c.charCodeAt(0))
    : new TextEncoder().encode(secret);
const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
