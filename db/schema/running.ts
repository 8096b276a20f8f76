/** What runs, as agents see it, and what people ask them about it. */
import { bigint, boolean, check, index, integer, jsonb, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import { application, environment, version } from "./catalog.ts";
import { bytea, checkOneOf, createdAt, id, instant, oneOf, projectId, updatedAt } from "./columns.ts";
import { agent } from "./work.ts";

/** What runs where, as the last word of an agent has it. */
export const appState = pgTable(
  "app_state",
  {
    environmentId: uuid("environment_id").notNull().references(() => environment.id, { onDelete: "cascade" }),
    applicationId: uuid("application_id").notNull().references(() => application.id, { onDelete: "cascade" }),
    /** The agent's name, or `-` where an environment has one place for it. */
    target: text("target").notNull(),
    projectId: projectId(),
    agentId: uuid("agent_id"),
    versionId: uuid("version_id").references(() => version.id),
    /** What to send again when somebody wants this back. */
    specSha256: text("spec_sha256"),
    health: oneOf("health", ["healthy", "degraded", "progressing", "missing", "unknown"]).notNull(),
    sync: oneOf("sync", ["synced", "out_of_sync", "unknown"]).notNull(),
    details: jsonb("details").$type<Record<string, unknown>>().notNull().default({}),
    updatedAt: updatedAt(),
    /** When the task that brought it was handed out: it has the values that its secrets had then. */
    handedOutAt: instant("handed_out_at"),
    /** What follows is the agent's own observation, since the deployment that wrote the row; null before the first. */
    observedAt: instant("observed_at"),
    observedVersion: text("observed_version"),
    resources: jsonb("resources").$type<Record<string, unknown>[]>().notNull().default([]),
    /** As reported; null when it cannot be compared. */
    differences: jsonb("differences").$type<Record<string, unknown>[] | null>(),
    /** Those that count: with the version, without what the application ignores. Empty while nothing differs. */
    drift: jsonb("drift").$type<Record<string, unknown>[]>().notNull().default([]),
    /** Since when the health is what it is. */
    healthSince: instant("health_since"),
    /** Of `drift.mode: heal`: attempts in a row, when, and the next one's earliest instant. */
    healing: jsonb("healing").$type<Record<string, unknown> | null>(),
  },
  (
    t,
  ) => [
    primaryKey({ columns: [t.environmentId, t.applicationId, t.target] }),
    index("app_state_version").on(t.versionId),
    /** An agent's reports are of its own rows: few, however many machines share an environment. */
    index("app_state_agent").on(t.agentId).concurrently(),
    /** What differs from its version: looked at by every sweep. */
    index("app_state_drifted").on(t.environmentId, t.applicationId).concurrently().where(sql`drift <> '[]'`),
  ],
);

/**
 * What somebody wants to know of an agent now, whichever master holds its socket: a fresh observation, or the output of
 * a running application. Lives while it is asked for; the answer's bytes stand in bounded rows beside it.
 */
export const agentQuery = pgTable("agent_query", {
  id: id(),
  projectId: projectId(),
  agentId: uuid("agent_id").notNull().references(() => agent.id, { onDelete: "cascade" }),
  kind: oneOf("kind", ["observe", "tail"]).notNull(),
  /** Of a tail. */
  environmentId: uuid("environment_id").references(() => environment.id, { onDelete: "cascade" }),
  applicationId: uuid("application_id").references(() => application.id, { onDelete: "cascade" }),
  follow: boolean("follow").notNull().default(false),
  /** The connection it was sent on: asked again on another. */
  sessionId: uuid("session_id"),
  createdAt: createdAt(),
  /** Moved on by whoever still wants it; afterwards the agent is told to stop, and the row goes. */
  wantedUntil: instant("wanted_until").notNull(),
  answeredAt: instant("answered_at"),
  /** Why no more will come. */
  ended: text("ended"),
  nextSequence: integer("next_sequence").notNull().default(0),
  /** Of all that came, also what is dropped. */
  bytes: bigint("bytes", { mode: "number" }).notNull().default(0),
}, (t) => [
  check("agent_query_kind", checkOneOf("kind", ["observe", "tail"])),
  index("agent_query_by_agent").on(t.agentId),
]);

export const agentQueryChunk = pgTable(
  "agent_query_chunk",
  {
    queryId: uuid("query_id").notNull().references(() => agentQuery.id, { onDelete: "cascade" }),
    sequence: integer("sequence").notNull(),
    offset: bigint("offset", { mode: "number" }).notNull(),
    data: bytea("data").notNull(),
  },
  (t) => [primaryKey({ columns: [t.queryId, t.sequence] })],
);
