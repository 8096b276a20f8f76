/** Channels to people outside, and what became of each message. */
import { z } from "zod";
import { CHANNEL_KINDS, DELIVERY_STATES, NOTIFICATION_EVENTS } from "../../domain/notification.ts";
import { Labels } from "../config/values.ts";
import { Id, Instant, MaybeInstant, Reason } from "./common.ts";

export { CHANNEL_KINDS, NOTIFICATION_EVENTS };
export type { ChannelKind } from "../../domain/notification.ts";

const Url = z.url({ protocol: /^https?$/, error: "an address that begins with https:// or http://" }).max(2000);
/** A name from the API's point of view: people choose it. */
const Pattern = z.string().min(1).max(200);

export const NotificationRule = z.strictObject({
  /** Empty for every event. */
  events: z.array(z.enum(NOTIFICATION_EVENTS)).max(50).default([]),
  /** Names of environments; `*` stands for any part of one. */
  environments: z.array(Pattern).max(50).optional(),
  /** Names of applications, likewise. */
  applications: z.array(Pattern).max(50).optional(),
  /** Of the application's document: each must be there. */
  labels: Labels.optional(),
}).meta({ id: "NotificationRule" });

/** How to reach it. Addresses of chat robots are passwords: all of this goes in, and only the host comes out. */
export const NotificationTarget = z.discriminatedUnion("kind", [
  /** Signed as Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`. */
  z.strictObject({
    kind: z.literal("webhook"),
    url: Url,
    /** Write-only. `whsec_` and base64, or any text of at least 16 characters. */
    secret: z.string().min(16).max(500),
  }),
  /** An incoming webhook of Slack, or of anything that takes its messages. */
  z.strictObject({ kind: z.literal("slack"), url: Url }),
  /** A custom robot of Lark or Feishu; with `secret` where it checks signatures. */
  z.strictObject({ kind: z.literal("lark"), url: Url, secret: z.string().min(1).max(500).optional() }),
  z.strictObject({ kind: z.literal("dingtalk"), url: Url, secret: z.string().min(1).max(500).optional() }),
  z.strictObject({ kind: z.literal("wecom"), url: Url }),
  z.strictObject({
    kind: z.literal("email"),
    host: z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/, "the name or the address of a mail server"),
    port: z.int().min(1).max(65_535).default(587),
    /** `starttls` begins plainly and insists on TLS; `none` is for a server on one's own network. */
    security: z.enum(["starttls", "tls", "none"]).default("starttls"),
    username: z.string().min(1).max(500).optional(),
    /** Write-only. */
    password: z.string().min(1).max(500).optional(),
    from: z.email().max(320),
    to: z.array(z.email().max(320)).min(1).max(50),
  }),
]);
export type NotificationTarget = z.infer<typeof NotificationTarget>;

const shared = {
  name: z.string().min(1).max(100).regex(/^[^\s/][^/]*$/, "no slash, and no space in front"),
  target: NotificationTarget,
  language: z.enum(["en", "zh"]),
  /** The user who reads it, where it is one person's: links that act in their name go only there. */
  username: z.string().min(1).max(200).nullable(),
  rules: z.array(NotificationRule).min(1).max(50),
  enabled: z.boolean(),
};
export const CreateNotification = z.strictObject({
  ...shared,
  language: shared.language.default("en"),
  username: shared.username.default(null),
  rules: shared.rules.default([{ events: [] }]),
  enabled: shared.enabled.default(true),
});
/** A new `target` takes the place of the whole old one, with its secrets. */
export const UpdateNotification = z.strictObject(shared).partial();

export const NotificationDelivery = z.object({
  /** Of a webhook also its `webhook-id`, the same at every try. */
  id: Id,
  event: z.string(),
  status: z.enum(DELIVERY_STATES),
  reason: Reason,
  /** How many things it tells; `names` are the first of them. */
  count: z.int(),
  names: z.array(z.string()),
  attempts: z.int(),
  /** Of one that waits: not before. */
  nextTryAt: MaybeInstant,
  createdAt: Instant,
  completedAt: MaybeInstant,
}).meta({ id: "NotificationDelivery" });
export type NotificationDelivery = z.infer<typeof NotificationDelivery>;

export const Notification = z.object({
  id: Id,
  name: z.string(),
  kind: z.enum(CHANNEL_KINDS),
  /** Where to, without what is secret in it. */
  destination: z.string(),
  /** Of email: port, security, from, to and whether there is a login. */
  settings: z.record(z.string(), z.unknown()),
  language: z.enum(["en", "zh"]),
  username: z.string().nullable(),
  rules: z.array(NotificationRule),
  enabled: z.boolean(),
  lastDelivery: NotificationDelivery.pick({ id: true, status: true, reason: true, createdAt: true }).nullable(),
  createdBy: z.string(),
  createdAt: Instant,
  updatedAt: Instant,
}).meta({ id: "Notification" });
export type Notification = z.infer<typeof Notification>;
