/** A secret that was rotated, one that is kept elsewhere, and a channel with what it was sent. */
import type { Notification, NotificationDelivery, Secret } from "../../protocol/http_api.ts";
import { reason } from "../../domain/reason.ts";
import { applications, environments, secondsAgo } from "./fixture_data.ts";

const id = (n: number) => `0192f0aa-0000-7000-8000-0000000005${String(n).padStart(2, "0")}`;

export const secrets: Secret[] = [
  {
    id: id(1),
    name: "DB_PASSWORD",
    environmentId: environments[0]!.id,
    applicationId: applications[0]!.id,
    provider: "boreas",
    reference: null,
    createdBy: "maria",
    createdAt: secondsAgo(9e6),
    updatedAt: secondsAgo(7200),
    rotatedAt: secondsAgo(7200),
    rotatedBy: "chen",
  },
  {
    id: id(2),
    name: "API_KEY",
    environmentId: null,
    applicationId: null,
    provider: "file",
    reference: "api/key",
    createdBy: "maria",
    createdAt: secondsAgo(9e6),
    updatedAt: secondsAgo(9e6),
    rotatedAt: null,
    rotatedBy: null,
  },
];
export const notificationDeliveries: NotificationDelivery[] = [
  {
    id: id(11),
    event: "agent.offline",
    status: "sent",
    reason: reason("notification.sent", { destination: "hooks.slack.com" }),
    count: 12,
    names: ["node-1", "node-2"],
    attempts: 1,
    nextTryAt: null,
    createdAt: secondsAgo(300),
    completedAt: secondsAgo(299),
  },
  {
    id: id(12),
    event: "deployment.failed",
    status: "failed",
    reason: reason("notification.given_up", { attempt: 8, detail: "hooks.slack.com answers 503" }),
    count: 1,
    names: ["order-service"],
    attempts: 8,
    nextTryAt: null,
    createdAt: secondsAgo(9000),
    completedAt: secondsAgo(300),
  },
];
export const notifications: Notification[] = [
  {
    id: id(20),
    name: "ops",
    kind: "slack",
    destination: "https://hooks.slack.com",
    settings: { signed: false },
    language: "en",
    username: null,
    rules: [{ events: ["deployment.failed", "agent.offline"], environments: ["production"] }],
    enabled: true,
    lastDelivery: notificationDeliveries[0]!,
    createdBy: "maria",
    createdAt: secondsAgo(9e6),
    updatedAt: secondsAgo(9e6),
  },
];
