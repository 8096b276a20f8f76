/** Deployments, tasks, leases, logs, agents, events. */
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
import { DEPLOYMENT_STATES } from "../../domain/deployment_state.ts";
import { TASK_STATES, TASK_TYPES } from "../../domain/task_state.ts";
import {
  bytea,
  checkOneOf,
  createdAt,
  id,
  instant,
  oneOf,
  projectId,
  reasonColumn,
  updatedAt,
  xid8,
} from "./columns.ts";
import { application, environment, version } from "./catalog.ts";
import { appUser, project } from "./people.ts";

export const agent = pgTable("agent", {
  id: id(),
  projectId: projectId().references(() => project.id),
  name: text("name").notNull(),
  kind: text("kind").notNull(),
  /** Lives inside a master process and has no key of its own. */
  embedded: boolean("embedded").notNull().default(false),
  /** base64url raw Ed25519; null when embedded. */
  publicKey: text("public_key"),
  /** base64url raw X25519: what secrets are sealed to. */
  sealingKey: text("sealing_key"),
  /** When the present keys came into use; the agent's beginning when null. */
  keySince: instant("key_since"),
  /** Offered by the agent, and its keys as soon as it uses or confirms them. */
  nextPublicKey: text("next_public_key"),
  nextSealingKey: text("next_sealing_key"),
  /** Somebody has asked for new keys. */
  rotateWanted: boolean("rotate_wanted").notNull().default(false),
  /** SHA-256 of what its last welcome brought: a copy of its state folder does not have it. */
  ticket: bytea("ticket"),
  /** SHA-256 of the ticket that it showed then; good until it has said that the new one is on its disk. */
  previousTicket: bytea("previous_ticket"),
  /** Enrolled with a token that asks for a person's yes: connected, and given nothing until then. */
  awaitsApproval: boolean("awaits_approval").notNull().default(false),
  /** It is being emptied, and since when it is empty. */
  drainStartedAt: instant("drain_started_at"),
  drainedAt: instant("drained_at"),
  labels: jsonb("labels").$type<Record<string, string>>().notNull().default({}),
  facts: jsonb("facts").$type<Record<string, unknown>>().notNull().default({}),
  versions: jsonb("versions").$type<Record<string, string>>().notNull().default({}),
  slots: integer("slots").notNull().default(0),
  status: oneOf("status", ["connected", "disconnected", "revoked"]).notNull(),
  /** How often it was let in: an arrival that was slow knows by it that another has come since. */
  arrivals: bigint("arrivals", { mode: "number" }).notNull().default(0),
  /** The session that holds it now; a newer one replaces an older. */
  sessionId: uuid("session_id"),
  reason: reasonColumn(),
  cordoned: boolean("cordoned").notNull().default(false),
  lastSeenAt: instant("last_seen_at"),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
}, (t) => [
  unique("agent_name").on(t.projectId, t.name),
  check("agent_status", checkOneOf("status", ["connected", "disconnected", "revoked"])),
  check("agent_identity", sql`embedded or (public_key is not null and sealing_key is not null)`),
]);

export const agentEnvironment = pgTable(
  "agent_environment",
  {
    agentId: uuid("agent_id").notNull().references(() => agent.id, { onDelete: "cascade" }),
    environmentId: uuid("environment_id").notNull().references(() => environment.id, { onDelete: "cascade" }),
  },
  (
    t,
  ) => [
    primaryKey({ columns: [t.agentId, t.environmentId] }),
    index("agent_environment_by_environment").on(t.environmentId),
  ],
);

export const deployment = pgTable("deployment", {
  id: id(),
  projectId: projectId().references(() => project.id),
  versionId: uuid("version_id").notNull().references(() => version.id),
  environmentId: uuid("environment_id").notNull().references(() => environment.id),
  status: oneOf("status", DEPLOYMENT_STATES).notNull(),
  reason: reasonColumn(),
  applications: text("applications").array().notNull(),
  mustInOrder: text("must_in_order").array().notNull(),
  /** Replaces each application's own; null when none was asked for. */
  strategy: jsonb("strategy").$type<Record<string, unknown> | null>(),
  manualApproval: boolean("manual_approval").notNull().default(false),
  approvalsNeeded: integer("approvals_needed").notNull().default(0),
  /** What to do when a task fails: `rollback | pause | continue | stop`, and why. */
  onFailure: text("on_failure").notNull().default("stop"),
  /** What goes back when it rolls back: `target`, `batch` or `deployment`. */
  rollbackScope: text("rollback_scope").notNull().default("deployment"),
  /** Machines by name, when it is for some of the environment's only: one that missed a release catches up by itself. */
  onlyTargets: text("only_targets").array(),
  /** SHA-256 of the plan that was approved or started: a change voids approvals. */
  planHash: text("plan_hash").notNull(),
  /** Started as soon as its artifacts are there and approvals given. */
  autoStart: boolean("auto_start").notNull().default(false),
  /** How long people are asked after a failure, and what counts as their answer then; null: they are asked without end. */
  askSeconds: integer("ask_seconds"),
  askDefault: text("ask_default"),
  /** While they are asked: when it answers itself. */
  askUntil: instant("ask_until"),
  /** A rollback takes no longer than this; what has not come back by then is told. */
  rollbackSeconds: integer("rollback_seconds").notNull().default(1800),
  rollbackUntil: instant("rollback_until"),
  /** It would have started, and starts by itself then. */
  frozenUntil: instant("frozen_until"),
  /** Who let it start in spite of a freeze: `{by, reason, until}`. */
  freezeOverride: jsonb("freeze_override").$type<Record<string, unknown> | null>(),
  /** Who left out checks that the applications' own strategies have: `{by, reason, dropped}`. */
  strategyOverride: jsonb("strategy_override").$type<Record<string, unknown> | null>(),
  /** The failed task that a rollback or a pause is about. */
  causeTaskId: uuid("cause_task_id"),
  errorMessage: text("error_message"),
  createdBy: text("created_by").notNull(),
  /** The person behind `createdBy`, also where a token of theirs made it; null for a trigger. */
  authorId: uuid("author_id"),
  /** Since when it waits for approvals of its present plan: what their time is counted from. */
  approvalsSince: instant("approvals_since"),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
  startedAt: instant("started_at"),
  completedAt: instant("completed_at"),
  /** Applied anew also where the same release runs already. */
  reapply: boolean("reapply").notNull().default(false),
  /** It takes its applications away from where they run; its version is what ran there. */
  removes: boolean("removes").notNull().default(false),
  /** Retention has taken its logs. */
  logsRemovedAt: instant("logs_removed_at"),
  /** Retention has let go of it: it is shown and acted on no more, and its rows go batch by batch. */
  retiredAt: instant("retired_at"),
}, (t) => [
  check("deployment_status", checkOneOf("status", DEPLOYMENT_STATES)),
  check("deployment_on_failure", checkOneOf("on_failure", ["rollback", "pause", "continue", "stop"])),
  index("deployment_recent").on(t.projectId, t.id),
  index("deployment_open").on(t.environmentId, t.status).where(
    sql`status in ('pending', 'awaiting_approval', 'running', 'paused', 'cancelling', 'rolling_back')`,
  ),
  index("deployment_version").on(t.versionId),
  index("deployment_by_environment").on(t.environmentId, t.id),
  /** What ended lately, for those who wait for it: looked for whenever something happens. */
  index("deployment_ended").on(t.environmentId, t.completedAt).concurrently(),
  index("deployment_retired").on(t.id).where(sql`retired_at is not null`),
]);

/**
 * The lock of "one running deployment per (application, environment)": a row per pair while a deployment is active.
 * The primary key is the guard; the rows go when the deployment ends.
 */
export const deploymentLock = pgTable(
  "deployment_lock",
  {
    applicationId: uuid("application_id").notNull().references(() => application.id),
    environmentId: uuid("environment_id").notNull().references(() => environment.id),
    deploymentId: uuid("deployment_id").notNull().references(() => deployment.id, { onDelete: "cascade" }),
  },
  (
    t,
  ) => [
    primaryKey({ columns: [t.applicationId, t.environmentId] }),
    index("deployment_lock_by_deployment").on(t.deploymentId),
  ],
);

export const approval = pgTable("approval", {
  id: id(),
  projectId: projectId(),
  deploymentId: uuid("deployment_id").notNull().references(() => deployment.id, { onDelete: "cascade" }),
  userId: uuid("user_id").notNull().references(() => appUser.id),
  actor: text("actor").notNull(),
  decision: oneOf("decision", ["approve", "reject"]).notNull(),
  /** Bound to the plan it was given for. */
  planHash: text("plan_hash").notNull(),
  note: text("note").notNull().default(""),
  /** An `approve` step of the plan; null: the deployment's own approval. Part of what `planHash` is made of then. */
  taskId: uuid("task_id"),
  createdAt: createdAt(),
}, (t) => [unique("approval_once").on(t.deploymentId, t.userId, t.planHash)]);

export const task = pgTable("task", {
  id: id(),
  projectId: projectId(),
  deploymentId: uuid("deployment_id").notNull().references(() => deployment.id, { onDelete: "cascade" }),
  parentId: uuid("parent_id"),
  environmentId: uuid("environment_id").notNull(),
  appId: uuid("app_id"),
  name: text("name").notNull(),
  type: oneOf("type", TASK_TYPES).notNull(),
  /** Order of display and of claims within a deployment. */
  position: integer("position").notNull(),
  state: oneOf("state", TASK_STATES).notNull(),
  reason: reasonColumn(),
  /** Part of a rollback: planned after something went wrong. */
  isRollback: boolean("is_rollback").notNull().default(false),
  /** A leaf is leased to an agent; a parent is rolled up; a pause is ended by the timer. */
  isLeaf: boolean("is_leaf").notNull(),
  /** Dependencies that have not succeeded yet; zero makes a blocked task pending. */
  unmet: integer("unmet").notNull(),
  /** The deployment is running, so a pending leaf may be claimed. */
  open: boolean("open").notNull().default(false),
  /** Of a parent: parts that may fail before it fails. */
  maxFailures: integer("max_failures").notNull().default(0),
  /** The machine it must run on; null lets any agent of the environment take it. */
  targetAgentId: uuid("target_agent_id"),
  /** Of a leaf: Operation without its spec, which stands in frozen_document under spec_sha256. */
  payload: jsonb("payload").$type<Record<string, unknown>>().notNull().default({}),
  specSha256: text("spec_sha256"),
  result: jsonb("result").$type<Record<string, unknown> | null>(),
  attempt: integer("attempt").notNull().default(0),
  maxAttempts: integer("max_attempts").notNull().default(1),
  /** Attempts that ended because an agent went away: they do not count against max_attempts, and have a bound of their own. */
  losses: integer("losses").notNull().default(0),
  /** Grows with every claim; checked on every write of the one who holds the lease. */
  fence: bigint("fence", { mode: "number" }).notNull().default(0),
  agentId: uuid("agent_id"),
  /** Who held it last, also after it ended: where it ran. */
  lastAgentId: uuid("last_agent_id"),
  leaseExpiresAt: instant("lease_expires_at"),
  runAfter: instant("run_after").notNull().default(sql`boreas_now()`),
  stateSince: instant("state_since").notNull().default(sql`boreas_now()`),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
  startedAt: instant("started_at"),
  completedAt: instant("completed_at"),
}, (t) => [
  check("task_state", checkOneOf("state", TASK_STATES)),
  check("task_type", checkOneOf("type", TASK_TYPES)),
  check("task_unmet", sql`unmet >= 0`),
  check("task_blocked", sql`state <> 'blocked' or unmet > 0`),
  /** A lease is whole or absent: holder, end and fence together. */
  check(
    "task_lease",
    sql`not is_leaf or (state in ('leased', 'running', 'cancelling')) = (agent_id is not null and lease_expires_at is not null)`,
  ),
  check("task_parent_unleased", sql`is_leaf or (agent_id is null and lease_expires_at is null)`),
  check("task_final", sql`(state in ('success', 'failed', 'cancelled', 'skipped')) = (completed_at is not null)`),
  index("task_by_deployment").on(t.deploymentId, t.position),
  index("task_by_parent").on(t.parentId).where(sql`parent_id is not null`),
  index("task_claim_target").on(t.targetAgentId, t.position, t.id).where(
    sql`state = 'pending' and open and is_leaf and target_agent_id is not null`,
  ),
  index("task_claim_any").on(t.environmentId, t.position, t.id).where(
    sql`state = 'pending' and open and is_leaf and target_agent_id is null`,
  ),
  /** What people look for among very many successes. */
  index("task_trouble").on(t.projectId, t.state, t.id).where(sql`state in ('failed', 'cancelled', 'skipped')`),
  /** What agents hold: few rows, also for the reaper. The end of a lease is in no index, so a renewal touches none. */
  index("task_held_by").on(t.agentId).where(sql`agent_id is not null`),
  index("task_cancelling").on(t.agentId).where(sql`state = 'cancelling'`),
  index("task_failed").on(t.deploymentId).where(sql`state = 'failed'`),
  /** Waits that run: pauses, and the times in which a release is watched. */
  index("task_wait").on(t.runAfter).concurrently().where(sql`state = 'pending' and type in ('pause', 'gate')`),
  /** Steps that wait for people. */
  index("task_approval").on(t.runAfter).concurrently().where(sql`state = 'pending' and type = 'approval'`),
  /** Rollbacks that may begin, and what a cancelled deployment left to clean up: the latter is looked for by every sweep. */
  index("task_rollback").on(t.id).concurrently().where(sql`state = 'pending' and type = 'rollback'`),
  /** Machines that missed a release: looked for by every sweep. */
  index("task_left_out").on(t.targetAgentId).concurrently().where(sql`state = 'skipped' and payload ? 'leftOut'`),
]);

export const taskDependency = pgTable("task_dependency", {
  taskId: uuid("task_id").notNull().references(() => task.id, { onDelete: "cascade" }),
  dependsOn: uuid("depends_on").notNull().references(() => task.id, { onDelete: "cascade" }),
}, (t) => [primaryKey({ columns: [t.taskId, t.dependsOn] }), index("task_dependency_dependents").on(t.dependsOn)]);

/** Output as it was written, after masking. Idempotent by (task, attempt, sequence); offsets have no gap. */
export const logChunk = pgTable(
  "log_chunk",
  {
    taskId: uuid("task_id").notNull().references(() => task.id, { onDelete: "cascade" }),
    attempt: integer("attempt").notNull(),
    sequence: integer("sequence").notNull(),
    offset: bigint("offset", { mode: "number" }).notNull(),
    data: bytea("data").notNull(),
    createdAt: createdAt(),
  },
  (
    t,
  ) => [
    primaryKey({ columns: [t.taskId, t.attempt, t.sequence] }),
    unique("log_chunk_offset").on(t.taskId, t.attempt, t.offset),
  ],
);

/** How far each attempt's log is durable: the row that an append checks and moves on. */
export const logHead = pgTable("log_head", {
  taskId: uuid("task_id").notNull().references(() => task.id, { onDelete: "cascade" }),
  attempt: integer("attempt").notNull(),
  nextSequence: integer("next_sequence").notNull().default(0),
  /** Of the whole log, also what is dropped. */
  bytes: bigint("bytes", { mode: "number" }).notNull().default(0),
  /** A log beyond its cap has lost these offsets, and a marker stands for them; null while it has all. */
  droppedFrom: bigint("dropped_from", { mode: "number" }),
  droppedTo: bigint("dropped_to", { mode: "number" }),
  /** Newlines among them. */
  droppedLines: bigint("dropped_lines", { mode: "number" }).notNull().default(0),
  /** What is dropped was dropped by retention, after so many days, 0 by the number of newer ones; null while it is the cap's doing. */
  removedAfterDays: integer("removed_after_days"),
}, (t) => [primaryKey({ columns: [t.taskId, t.attempt] })]);

/**
 * Timeline and outbox of live streams. A cursor over `id` alone loses rows that commit late, so readers take
 * `xid < boreas_settled_xid()` and remember (xid, id).
 */
export const event = pgTable(
  "event",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    xid: xid8("xid").notNull().default(sql`pg_current_xact_id()`),
    projectId: projectId(),
    /** `deployment`, `task`, `agent`, `version`, `repository`, `application`, `environment`, `trigger`. */
    topic: text("topic").notNull(),
    /** The id of what changed. */
    subjectId: uuid("subject_id"),
    deploymentId: uuid("deployment_id"),
    kind: text("kind").notNull(),
    data: jsonb("data").$type<Record<string, unknown>>().notNull().default({}),
    createdAt: createdAt(),
  },
  (
    t,
  ) => [
    index("event_cursor").on(t.xid, t.id),
    index("event_by_deployment").on(t.deploymentId, t.id).where(sql`deployment_id is not null`),
  ],
);
