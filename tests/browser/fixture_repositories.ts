/** The company's repository, what came from it and what it was told. */
import { reason } from "../../domain/reason.ts";
import type { CommitStatus, Delivery, Repository } from "../../protocol/http_api.ts";
import { newId, REPOSITORY, secondsAgo, versions } from "./fixture_data.ts";

const no = reason("repository.new");

export const repositories: Repository[] = [{
  id: newId(),
  url: REPOSITORY,
  provider: "gitea",
  branch: "main",
  tagPattern: "v*",
  configPaths: ["boreas.yaml", "services/*/boreas.yaml"],
  pollSeconds: 300,
  hasCredential: true,
  hasStatusToken: false,
  apiUrl: null,
  discovery: "create",
  webhookPath: "/webhook/gitea/0198c000",
  reason: reason("repository.ok", { ref: "main at 8c1f20aa93" }),
  lastSyncedAt: secondsAgo(95),
  createdAt: secondsAgo(30 * 86_400),
  updatedAt: secondsAgo(95),
}];

const delivery = (age: number, status: Delivery["status"], more: Partial<Delivery>): Delivery => ({
  id: newId(),
  repositoryId: repositories[0]!.id,
  deliveryKey: `d-${age}`,
  source: "webhook",
  event: "push",
  ref: "refs/heads/main",
  pull: null,
  commit: "8c1f20aa93d40b1e5c2f7a6d9e3b4c5d6e7f8a90",
  status,
  reason: no,
  problems: [],
  versionId: null,
  attempts: 1,
  receivedAt: secondsAgo(age),
  processedAt: secondsAgo(age - 1),
  ...more,
});
export const commitStatuses: CommitStatus[] = [{
  ...{ id: newId(), repositoryId: repositories[0]!.id, commit: "8c1f20aa93d40b1e5c2f7a6d9e3b4c5d6e7f8a90" },
  ...{ context: "boreas/prod", state: "failure", description: "v1.4.2 was rolled back.", status: "sent", attempts: 1 },
  reason: reason("notification.sent", { destination: "api.github.com" }),
  ...{ createdAt: secondsAgo(95), changedAt: secondsAgo(60), sentAt: secondsAgo(59) },
}];
export const deliveries: Delivery[] = [
  delivery(95, "processed", {
    versionId: versions[0]!.id,
    reason: reason("delivery.processed", { version: versions[0]!.version }),
  }),
  delivery(1200, "failed", {
    reason: reason("delivery.failed", { detail: "boreas.yaml has 2 mistakes." }),
    problems: [
      { file: "boreas.yaml", line: 14, path: "runtime.binary.exce", message: "unknown key; did you mean exec?" },
      {
        file: "services/mail/boreas.yaml",
        line: 3,
        path: "needs.0",
        message: "mail-worker needs smtp-relay, which no file defines",
      },
    ],
  }),
  delivery(5400, "processed", {
    source: "poll",
    ref: "refs/tags/v1.4.1",
    reason: reason("delivery.processed", { version: "v1.4.1" }),
  }),
  delivery(9000, "ignored", {
    ref: "refs/heads/feature/x",
    reason: reason("delivery.ignored", { detail: "Branch feature/x is not followed." }),
  }),
];
