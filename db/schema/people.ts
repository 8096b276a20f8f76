/** Projects, people, what they may do, what they did. */
import { bigint, boolean, check, index, jsonb, pgTable, primaryKey, text, unique, uuid } from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import { bytea, checkOneOf, createdAt, id, instant, oneOf, projectId, updatedAt } from "./columns.ts";

export const project = pgTable("project", { id: id(), name: text("name").notNull().unique(), createdAt: createdAt() });

export const appUser = pgTable("app_user", {
  id: id(),
  username: text("username").notNull().unique(),
  /** Where letters go, and by which an author of commits is known. */
  email: text("email"),
  /** scrypt: `scrypt$N$r$p$salt$hash`, base64. */
  passwordHash: text("password_hash").notNull(),
  /** Sessions made before this instant are over. */
  sessionsValidFrom: instant("sessions_valid_from").notNull().default(sql`boreas_now()`),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
});

/** A role is named and per project; `admin`, `deployer` and `viewer` are always there. */
export const member = pgTable("member", {
  projectId: projectId().references(() => project.id),
  userId: uuid("user_id").notNull().references(() => appUser.id, { onDelete: "cascade" }),
  role: text("role").notNull(),
  createdAt: createdAt(),
}, (t) => [primaryKey({ columns: [t.projectId, t.userId] })]);

/** Only the SHA-256 of a token is kept: the secret is 256 random bits, so no slow hash is needed. */
export const apiToken = pgTable("api_token", {
  id: id(),
  projectId: projectId().references(() => project.id),
  userId: uuid("user_id").notNull().references(() => appUser.id, { onDelete: "cascade" }),
  name: text("name").notNull(),
  hash: bytea("hash").notNull().unique(),
  role: text("role").notNull(),
  expiresAt: instant("expires_at"),
  lastUsedAt: instant("last_used_at"),
  createdAt: createdAt(),
});

/** One row per refresh; a second use of a spent one ends the whole family. */
export const refreshToken = pgTable("refresh_token", {
  id: id(),
  userId: uuid("user_id").notNull().references(() => appUser.id, { onDelete: "cascade" }),
  family: uuid("family").notNull(),
  hash: bytea("hash").notNull().unique(),
  usedAt: instant("used_at"),
  expiresAt: instant("expires_at").notNull(),
  createdAt: createdAt(),
}, (t) => [index("refresh_token_family").on(t.family)]);

/** The answer to a write that carried `Idempotency-Key`, given again to a repeat. */
export const idempotency = pgTable("idempotency", {
  projectId: projectId(),
  actor: text("actor").notNull(),
  key: text("key").notNull(),
  /** SHA-256 of method, path and body: the same key with another request is a mistake. */
  requestHash: bytea("request_hash").notNull(),
  /** null while the first request is still being answered. */
  status: bigint("status", { mode: "number" }),
  body: jsonb("body"),
  createdAt: createdAt(),
}, (t) => [primaryKey({ columns: [t.projectId, t.actor, t.key] })]);

/** What a person or a token did. `db/audit/seal_audit.ts` chains the rows later, so that no global lock stands in the hot path. */
export const audit = pgTable(
  "audit",
  {
    id: id(),
    sequence: bigint("sequence", { mode: "number" }).notNull().generatedAlwaysAsIdentity(),
    projectId: projectId().references(() => project.id),
    actor: text("actor").notNull(),
    action: text("action").notNull(),
    target: text("target").notNull(),
    detail: jsonb("detail").$type<Record<string, unknown>>().notNull().default({}),
    ip: text("ip"),
    /** Place in the chain, in order of sealing; null until then. */
    sealNumber: bigint("seal_number", { mode: "number" }),
    hash: text("hash"),
    createdAt: createdAt(),
  },
  (
    t,
  ) => [
    unique("audit_seal").on(t.sealNumber),
    unique("audit_sequence").on(t.sequence),
    index("audit_project").on(t.projectId, t.id),
  ],
);

/** Values sealed with AES-256-GCM bound to this row (the row's table, id and column are authenticated). */
export const secret = pgTable("secret", {
  id: id(),
  projectId: projectId().references(() => project.id),
  name: text("name").notNull(),
  environmentId: uuid("environment_id"),
  applicationId: uuid("application_id"),
  /** Empty where the value is kept elsewhere. */
  sealed: bytea("sealed").notNull(),
  /** Where the value is: here (`boreas`), in an environment variable of the master (`env`), in a file beside it (`file`). */
  provider: text("provider", { enum: ["boreas", "env", "file"] }).notNull().default("boreas"),
  /** The variable, or the file. */
  reference: text("reference"),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
  /** The last new value since it was made: what was started before has an older one. */
  rotatedAt: instant("rotated_at"),
  rotatedBy: text("rotated_by"),
}, (t) => [unique("secret_scope").on(t.projectId, t.name, t.environmentId, t.applicationId).nullsNotDistinct()]);

/** Which of several masters runs the timers, the pollers and the upkeep, and until when; the database's clock decides. */
export const leader = pgTable("leader", {
  name: text("name").primaryKey(),
  /** The process, anew at each start. */
  holder: uuid("holder").notNull(),
  /** Grows with every change of the holder. */
  term: bigint("term", { mode: "number" }).notNull(),
  electedAt: instant("elected_at").notNull(),
  expiresAt: instant("expires_at").notNull(),
});

/** Small facts of this installation: the master's id, the last sweep (restart grace), schema marks. */
export const setting = pgTable("setting", {
  key: text("key").primaryKey(),
  value: jsonb("value").notNull(),
  updatedAt: updatedAt(),
});

export const enrollmentToken = pgTable(
  "enrollment_token",
  {
    id: id(),
    projectId: projectId().references(() => project.id),
    hash: bytea("hash").notNull().unique(),
    kind: oneOf("kind", ["agent", "operator"]).notNull(),
    usesLeft: bigint("uses_left", { mode: "number" }).notNull(),
    labels: jsonb("labels").$type<Record<string, string>>().notNull().default({}),
    environmentIds: uuid("environment_ids").array().notNull().default(sql`'{}'`),
    /** Who enrols with it is given nothing to do until a person approves. */
    approveFirst: boolean("approve_first").notNull().default(false),
    expiresAt: instant("expires_at").notNull(),
    createdBy: text("created_by").notNull(),
    createdAt: createdAt(),
  },
  (
    t,
  ) => [
    check("enrollment_token_uses", sql`${t.usesLeft} >= 0`),
    check("enrollment_token_kind", checkOneOf("kind", ["agent", "operator"])),
  ],
);

/** What agents of another machine type than the master's run on: uploaded once, handed out by every master. */
export const agentRuntime = pgTable("agent_runtime", {
  os: text("os").notNull(),
  arch: text("arch").notNull(),
  /** Of the program itself. */
  sha256: text("sha256").notNull(),
  size: bigint("size", { mode: "number" }).notNull(),
  /** The gzipped program, as it is stored and handed out. */
  blobSha256: text("blob_sha256").notNull(),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
}, (t) => [primaryKey({ columns: [t.os, t.arch] })]);
