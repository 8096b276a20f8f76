/** Rules that make deployments, and what each of them said to every event. */
import { boolean, check, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import { TRIGGER_EVENTS, TRIGGER_OUTCOMES, TRIGGER_STARTS } from "../../domain/trigger.ts";
import { checkOneOf, createdAt, id, instant, oneOf, projectId, reasonColumn, updatedAt } from "./columns.ts";
import { repository } from "./catalog.ts";
import { project } from "./people.ts";

const NOBODY = sql`'00000000-0000-0000-0000-000000000000'::uuid`;

export const trigger = pgTable("trigger", {
  id: id(),
  projectId: projectId().references(() => project.id),
  /** Whose versions it deploys; null for those of any repository. */
  repositoryId: uuid("repository_id").references(() => repository.id, { onDelete: "cascade" }),
  /** Of the Plan in the repository, kept in step with it; or made by a person. */
  source: oneOf("source", ["file", "api"]).notNull(),
  name: text("name").notNull(),
  /** Its place in the file: the first match per environment counts. A person's come after those of files. */
  position: integer("position").notNull().default(0),
  /** What it listens to: `on` in files. */
  kind: oneOf("kind", TRIGGER_EVENTS).notNull(),
  /** By name, because a file may name one that is not there yet. */
  environment: text("environment").notNull(),
  start: oneOf("start", TRIGGER_STARTS).notNull(),
  /** Filters, times, selector: what the file says besides the above. */
  rule: jsonb("rule").$type<Record<string, unknown>>().notNull(),
  /** A person may switch off a file's trigger, and it stays off whatever the file says. */
  enabled: boolean("enabled").notNull().default(true),
  /** What ended before is not looked at: when it was made, changed or switched on. */
  since: instant("since").notNull().default(sql`boreas_now()`),
  /** Of a cron trigger: the next tick. */
  nextDueAt: instant("next_due_at"),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
}, (t) => [
  check("trigger_source", checkOneOf("source", ["file", "api"])),
  check("trigger_kind", checkOneOf("kind", TRIGGER_EVENTS)),
  check("trigger_start", checkOneOf("start", TRIGGER_STARTS)),
  uniqueIndex("trigger_name").on(t.projectId, t.source, sql`coalesce(repository_id, ${NOBODY})`, t.name),
  index("trigger_by_repository").on(t.repositoryId),
  index("trigger_due").on(t.nextDueAt).where(sql`enabled and next_due_at is not null`),
]);

/** Which commit of the default branch a repository's triggers were taken from: an older one does not bring its own back. */
export const triggerPlan = pgTable("trigger_plan", {
  repositoryId: uuid("repository_id").primaryKey().references(() => repository.id, { onDelete: "cascade" }),
  commit: text("commit").notNull(),
  updatedAt: updatedAt(),
});

/**
 * One event as one trigger saw it. What it names may be gone: this is the record, so it refers to nothing but its trigger.
 *
 *   waiting (until due_at) -> fired (deployment_id) | not_fired, each with its sentence
 */
export const triggerRun = pgTable("trigger_run", {
  id: id(),
  projectId: projectId(),
  triggerId: uuid("trigger_id").references(() => trigger.id, { onDelete: "set null" }),
  trigger: text("trigger").notNull(),
  environment: text("environment").notNull(),
  /** What happened: a person may fire a trigger of any kind, which is an `api` event. */
  event: oneOf("event", TRIGGER_EVENTS).notNull(),
  outcome: oneOf("outcome", TRIGGER_OUTCOMES).notNull(),
  reason: reasonColumn(),
  deliveryId: uuid("delivery_id"),
  versionId: uuid("version_id"),
  /** The deployment that it made. */
  deploymentId: uuid("deployment_id"),
  /** The deployment whose end it is about. */
  causeDeploymentId: uuid("cause_deployment_id"),
  /** A tick's instant; when a soak is over; when it was asked for. */
  dueAt: instant("due_at"),
  /** Of `POST fire`: whether it only shows what would happen, and the version that was named. */
  dryRun: boolean("dry_run").notNull().default(false),
  wanted: text("wanted"),
  actor: text("actor").notNull(),
  /** Who fired it, or whose token did: what comes of it is that person's, who may not approve it alone. */
  actorId: uuid("actor_id"),
  createdAt: createdAt(),
  decidedAt: instant("decided_at"),
}, (t) => [
  check("trigger_run_event", checkOneOf("event", TRIGGER_EVENTS)),
  check("trigger_run_outcome", checkOneOf("outcome", TRIGGER_OUTCOMES)),
  /** The guards: a tick, a delivery and a deployment's end are each looked at once by a trigger, whichever master comes. */
  uniqueIndex("trigger_run_tick").on(t.triggerId, t.dueAt).where(sql`event = 'cron'`),
  uniqueIndex("trigger_run_delivery").on(t.triggerId, t.deliveryId).where(sql`delivery_id is not null`),
  uniqueIndex("trigger_run_end").on(t.triggerId, t.causeDeploymentId).where(sql`cause_deployment_id is not null`),
  index("trigger_run_recent").on(t.triggerId, t.id),
  index("trigger_run_by_delivery").on(t.deliveryId).where(sql`delivery_id is not null`),
  index("trigger_run_by_version").on(t.versionId, t.id).where(sql`version_id is not null`),
  index("trigger_run_waiting").on(t.dueAt).where(sql`outcome = 'waiting'`),
]);
