/** Telling people outside: where to, what of, and what became of each message. */
import { bigint, boolean, check, index, integer, jsonb, pgTable, text, unique, uuid } from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import {
  CHANNEL_KINDS,
  DELIVERY_STATES,
  type NotificationItem,
  type NotificationRule,
} from "../../domain/notification.ts";
import { bytea, checkOneOf, createdAt, id, instant, oneOf, projectId, reasonColumn, updatedAt } from "./columns.ts";
import { project } from "./people.ts";

/** One way to somebody: a webhook, a chat robot, a mailbox. */
export const notification = pgTable("notification", {
  id: id(),
  projectId: projectId().references(() => project.id),
  name: text("name").notNull(),
  kind: oneOf("kind", CHANNEL_KINDS).notNull(),
  /** What everybody may see: the host of an address, the recipients. */
  settings: jsonb("settings").$type<Record<string, unknown>>().notNull().default({}),
  /** Sealed JSON: addresses (those of chat robots are passwords), signing secrets, the mail server's password. */
  sealed: bytea("sealed").notNull(),
  language: oneOf("language", ["en", "zh"]).notNull(),
  /** Who reads it, where one person does: links that act in their name go only to them. */
  userId: uuid("user_id"),
  rules: jsonb("rules").$type<NotificationRule[]>().notNull(),
  enabled: boolean("enabled").notNull(),
  /** What happened before is not told: when it was made, or switched on again. */
  activeSince: instant("active_since").notNull().default(sql`boreas_now()`),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
}, (t) => [
  unique("notification_name").on(t.projectId, t.name),
  check("notification_kind", checkOneOf("kind", CHANNEL_KINDS)),
  check("notification_language", checkOneOf("language", ["en", "zh"])),
]);

/** One message to one channel. Its id is the webhook's id, the same at every try. */
export const notificationDelivery = pgTable("notification_delivery", {
  id: id(),
  projectId: projectId(),
  notificationId: uuid("notification_id").notNull().references(() => notification.id, { onDelete: "cascade" }),
  /** The first event it tells; null of a test. */
  eventId: bigint("event_id", { mode: "number" }),
  /** `deployment.failed`, `agent.offline`, ...: messages of one kind that wait are folded into one. */
  event: text("event").notNull(),
  /** What happened, the first of many; `count` says how many there are in all. */
  items: jsonb("items").$type<NotificationItem[]>().notNull(),
  count: integer("count").notNull().default(1),
  status: oneOf("status", DELIVERY_STATES).notNull(),
  reason: reasonColumn(),
  attempts: integer("attempts").notNull().default(0),
  /** Not before this instant; a worker that takes it moves it forward as its lease. */
  runAfter: instant("run_after").notNull().default(sql`boreas_now()`),
  createdAt: createdAt(),
  completedAt: instant("completed_at"),
}, (t) => [
  unique("notification_delivery_once").on(t.notificationId, t.eventId),
  check("notification_delivery_status", checkOneOf("status", DELIVERY_STATES)),
  index("notification_delivery_due").on(t.runAfter).where(sql`status in ('waiting', 'sending')`),
  index("notification_delivery_recent").on(t.notificationId, t.id),
]);
