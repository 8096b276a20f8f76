/** What there is to deploy, and where. */
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import { bytea, checkOneOf, createdAt, id, instant, oneOf, projectId, reasonColumn, updatedAt } from "./columns.ts";
import { project } from "./people.ts";

const PROVIDERS = ["github", "gitlab", "gitea", "forgejo", "bitbucket", "generic"] as const;

export const repository = pgTable("repository", {
  id: id(),
  projectId: projectId().references(() => project.id),
  /** Without credentials; those are in `credential`. */
  url: text("url").notNull(),
  provider: oneOf("provider", PROVIDERS).notNull(),
  branch: text("branch").notNull(),
  tagPattern: text("tag_pattern"),
  configPaths: text("config_paths").array().notNull(),
  webhookSecret: bytea("webhook_secret").notNull(),
  credential: bytea("credential"),
  /** For the provider's API, where plans of pull requests are told; the credential does it where there is none. */
  statusToken: bytea("status_token"),
  /** Of the provider's API, where it is not what the repository's host suggests. */
  apiUrl: text("api_url"),
  /** What becomes of an application that a file declares for the first time. */
  discovery: oneOf("discovery", ["create", "propose"]).notNull().default("create"),
  pollSeconds: integer("poll_seconds").notNull(),
  /** When the poller looks next; claimed by moving it forward, so that one master polls at a time. */
  nextPollAt: instant("next_poll_at"),
  lastSyncedAt: instant("last_synced_at"),
  /** The poller's first look: tags that were there by then are history. */
  polledAt: instant("polled_at"),
  reason: reasonColumn(),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
}, (t) => [
  unique("repository_url").on(t.projectId, t.url),
  check("repository_provider", checkOneOf("provider", PROVIDERS)),
  index("repository_poll").on(t.nextPollAt),
]);

/** One row per webhook, found ref or asked-for sync; durable before the sender hears 2xx. */
export const delivery = pgTable("delivery", {
  id: id(),
  projectId: projectId().references(() => project.id),
  repositoryId: uuid("repository_id").notNull().references(() => repository.id, { onDelete: "cascade" }),
  /** The provider's delivery id; of a poll, `poll:<ref>:<commit>`. A repeat is a no-op. */
  deliveryKey: text("delivery_key").notNull(),
  source: oneOf("source", ["webhook", "poll", "sync", "redeliver"]).notNull(),
  event: text("event").notNull(),
  /** Full ref: `refs/heads/main`, `refs/tags/v1`. */
  ref: text("ref"),
  commit: text("commit"),
  /** The pull request that it speaks of: its plan is told there, and nothing of it is recorded or run. */
  pull: jsonb("pull").$type<Record<string, unknown> | null>(),
  status: oneOf("status", ["received", "processing", "processed", "ignored", "failed"]).notNull(),
  reason: reasonColumn(),
  problems: jsonb("problems").$type<{ file: string; line: number; path: string; message: string }[]>().notNull()
    .default([]),
  versionId: uuid("version_id"),
  attempts: integer("attempts").notNull().default(0),
  /** Not before this instant; a worker that takes it moves it forward as its lease. */
  runAfter: instant("run_after").notNull().default(sql`boreas_now()`),
  receivedAt: instant("received_at").notNull().default(sql`boreas_now()`),
  processedAt: instant("processed_at"),
}, (t) => [
  unique("delivery_once").on(t.repositoryId, t.deliveryKey),
  check("delivery_status", checkOneOf("status", ["received", "processing", "processed", "ignored", "failed"])),
  index("delivery_open").on(t.runAfter).where(sql`status in ('received', 'processing')`),
  index("delivery_recent").on(t.repositoryId, t.id),
]);

export const application = pgTable(
  "application",
  {
    id: id(),
    projectId: projectId().references(() => project.id),
    name: text("name").notNull(),
    description: text("description").notNull().default(""),
    /** The repository that first declared it; another's declaration is refused. */
    repositoryId: uuid("repository_id").references(() => repository.id, { onDelete: "set null" }),
    repository: text("repository"),
    type: oneOf("type", ["microservice", "monolith"]).notNull(),
    config: jsonb("config").$type<Record<string, unknown>>().notNull().default({}),
    /** Out of sight; what runs of it runs on. */
    archivedAt: instant("archived_at"),
    /** A file of its repository has declared it: when the default branch no longer does, it is archived. */
    declared: boolean("declared").notNull().default(false),
    /** Found in a repository that only proposes: goes nowhere until a person approves it, which makes this null. */
    proposal: oneOf("proposal", ["proposed", "dismissed"]),
    createdBy: text("created_by").notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (
    t,
  ) => [
    unique("application_name").on(t.projectId, t.name),
    check("application_type", checkOneOf("type", ["microservice", "monolith"])),
  ],
);

export const environment = pgTable("environment", {
  id: id(),
  projectId: projectId().references(() => project.id),
  name: text("name").notNull(),
  type: oneOf("type", ["k8s", "pm", "mock"]).notNull(),
  region: text("region").notNull().default(""),
  config: jsonb("config").$type<Record<string, unknown>>().notNull().default({}),
  policy: jsonb("policy").$type<Record<string, unknown>>().notNull().default({}),
  status: oneOf("status", ["active", "inactive"]).notNull(),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
}, (t) => [
  unique("environment_name").on(t.projectId, t.name),
  check("environment_type", checkOneOf("type", ["k8s", "pm", "mock"])),
  check("environment_status", checkOneOf("status", ["active", "inactive"])),
]);

export const applicationEnvironment = pgTable("application_environment", {
  applicationId: uuid("application_id").notNull().references(() => application.id, { onDelete: "cascade" }),
  environmentId: uuid("environment_id").notNull().references(() => environment.id, { onDelete: "cascade" }),
  projectId: projectId(),
  /** Bound by a person or by the file; the file may add a binding and never removes a person's. */
  source: oneOf("source", ["api", "file"]).notNull(),
  config: jsonb("config").$type<Record<string, unknown>>().notNull().default({}),
  /** Grows with every deployment started here: what an agent compares, so that an older one never lands after a newer. */
  generation: bigint("generation", { mode: "number" }).notNull().default(0),
  /** A person took it away from here: nothing deploys it here until a person names it again. */
  removedAt: instant("removed_at"),
  createdAt: createdAt(),
}, (t) => [primaryKey({ columns: [t.applicationId, t.environmentId] })]);

export const version = pgTable("version", {
  id: id(),
  projectId: projectId().references(() => project.id),
  repositoryId: uuid("repository_id").references(() => repository.id, { onDelete: "set null" }),
  /** Address of the repository, empty when there is none: part of the key, so never null. */
  repository: text("repository").notNull().default(""),
  version: text("version").notNull(),
  gitTag: text("git_tag"),
  gitCommit: text("git_commit"),
  /** The branch or tag that Boreas itself saw at the remote with this commit, `refs/heads/main`; null of one that was only posted. */
  seenRef: text("seen_ref"),
  description: text("description").notNull().default(""),
  /** Who wrote its commit, where known: "not the author" is asked of them too. */
  authorEmail: text("author_email"),
  status: oneOf("status", ["normal", "revert"]).notNull(),
  reason: reasonColumn(),
  builds: oneOf("builds", ["waiting", "ready", "failed"]).notNull(),
  buildsReason: reasonColumn("builds_reason"),
  /** When the next look for late artifacts is due; null when nothing is waited for. */
  buildsCheckAt: instant("builds_check_at"),
  appBuilds: jsonb("app_builds").$type<Record<string, unknown>>().notNull().default({}),
  /** `Plan` of the default branch when it was recorded: order, strategy, triggers. */
  plan: jsonb("plan").$type<Record<string, unknown>>().notNull().default({}),
  /** A deployment of it has started: nothing of it may change any more. */
  lockedAt: instant("locked_at"),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
}, (t) => [
  unique("version_once").on(t.projectId, t.repository, t.version),
  check("version_status", checkOneOf("status", ["normal", "revert"])),
  check("version_builds", checkOneOf("builds", ["waiting", "ready", "failed"])),
  index("version_builds_due").on(t.buildsCheckAt).where(sql`builds = 'waiting'`),
  index("version_commit").on(t.repositoryId, t.gitCommit),
]);

/** An application as a version knows it: the document as it stood at the commit, and its artifacts once pinned. */
export const versionApp = pgTable(
  "version_app",
  {
    versionId: uuid("version_id").notNull().references(() => version.id, { onDelete: "cascade" }),
    applicationId: uuid("application_id").notNull().references(() => application.id, { onDelete: "cascade" }),
    projectId: projectId(),
    changed: boolean("changed").notNull(),
    /** frozen_document of the `Application` document (or REST config) with its overlays. */
    documentSha256: text("document_sha256").notNull(),
    /** Artifact name -> PinnedArtifact; one that is still waited for is absent. */
    artifacts: jsonb("artifacts").$type<Record<string, unknown>>().notNull().default({}),
    bundle: jsonb("bundle").$type<{ sha256: string; size: number } | null>(),
    builds: oneOf("builds", ["waiting", "ready", "failed"]).notNull(),
    buildsReason: reasonColumn("builds_reason"),
    /** Give up waiting at. */
    waitUntil: instant("wait_until"),
  },
  (
    t,
  ) => [
    primaryKey({ columns: [t.versionId, t.applicationId] }),
    check("version_app_builds", checkOneOf("builds", ["waiting", "ready", "failed"])),
  ],
);

/** Canonical JSON, stored once by content: application documents and rendered specs. */
export const frozenDocument = pgTable("frozen_document", {
  sha256: text("sha256").primaryKey(),
  content: text("content").notNull(),
  createdAt: createdAt(),
});

/** Repository files as tar, by content hash, in chunks so that no row is larger than a frame. */
export const blob = pgTable("blob", {
  sha256: text("sha256").primaryKey(),
  size: bigint("size", { mode: "number" }).notNull(),
  createdAt: createdAt(),
});
export const blobChunk = pgTable("blob_chunk", {
  sha256: text("sha256").notNull().references(() => blob.sha256, { onDelete: "cascade" }),
  index: integer("index").notNull(),
  data: bytea("data").notNull(),
}, (t) => [primaryKey({ columns: [t.sha256, t.index] })]);
