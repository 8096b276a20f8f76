import { reason } from "../../domain/reason.ts";
import type { Trigger, TriggerRun } from "../../protocol/http_api.ts";
import { environments, secondsAgo, versions } from "./fixture_data.ts";
import { deployments } from "./fixture_deployments.ts";
import { repositories } from "./fixture_repositories.ts";

const id = (n: number) => `0198c000-0000-7000-8000-0000000007${String(n).padStart(2, "0")}`;

const run = (n: number, more: Partial<TriggerRun>): TriggerRun => ({
  id: id(n),
  triggerId: id(50),
  trigger: "nightly",
  environment: environments[1]!.name,
  event: "cron",
  outcome: "not_fired",
  reason: reason("trigger.not_fired", { detail: "Nothing to do: production runs v1.4.2 already." }),
  deliveryId: null,
  versionId: versions[0]!.id,
  version: versions[0]!.version,
  deploymentId: null,
  causeDeploymentId: null,
  dueAt: secondsAgo(60 * n),
  dryRun: false,
  wanted: null,
  actor: "cron trigger",
  createdAt: secondsAgo(60 * n),
  decidedAt: secondsAgo(60 * n),
  ...more,
});
export const triggerRuns: TriggerRun[] = [
  run(1, {
    outcome: "fired",
    deploymentId: deployments.running!.id,
    reason: reason("trigger.fired", { version: versions[0]!.version, environment: environments[1]!.name }),
  }),
  run(2, {}),
  run(3, {
    triggerId: null,
    trigger: "promote",
    event: "deployment",
    outcome: "waiting",
    reason: reason("trigger.soaking", { detail: "v1.4.2 has to stay well on staging until 2026-11-22T20:37:09Z." }),
  }),
];

const trigger = (n: number, name: string, more: Partial<Trigger>): Trigger => ({
  id: id(n),
  repositoryId: repositories[0]!.id,
  repository: repositories[0]!.url,
  source: "file",
  name,
  on: "push",
  environment: environments[0]!.name,
  environmentId: environments[0]!.id,
  start: "auto",
  rule: { branch: "main", paths: ["services/**"] },
  enabled: true,
  nextDueAt: null,
  lastRun: null,
  createdBy: "boreas.yaml",
  createdAt: secondsAgo(9e5),
  updatedAt: secondsAgo(9e5),
  ...more,
});
export const triggers: Trigger[] = [
  trigger(50, "nightly", {
    on: "cron",
    environment: environments[1]!.name,
    start: "approve",
    rule: { at: "0 3 * * 1-5", tz: "Asia/Shanghai", version: "latest-verified:staging" },
    nextDueAt: secondsAgo(-2 * 86_400 - 3600),
    lastRun: triggerRuns[1]!,
  }),
  trigger(51, "staging", {}),
  trigger(52, "by-hand", { on: "api", source: "api", createdBy: "maria", enabled: false, rule: {} }),
];
