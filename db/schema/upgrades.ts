/** Bringing agents to another version: who was asked, and what became of it. */
import { boolean, check, index, integer, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import { UPGRADE_AGENT_STATES, UPGRADE_STATES } from "../../domain/upgrade_state.ts";
import { checkOneOf, createdAt, id, instant, oneOf, projectId, reasonColumn, updatedAt } from "./columns.ts";
import { project } from "./people.ts";
import { agent } from "./work.ts";

/** One wish of a person: these agents to this version, one machine first, then in batches. */
export const upgrade = pgTable("upgrade", {
  id: id(),
  projectId: projectId().references(() => project.id),
  version: text("version").notNull(),
  /** An older version may take the place of a newer one. */
  downgrade: boolean("downgrade").notNull().default(false),
  /** Machines at once, after the first one. */
  batch: integer("batch").notNull(),
  status: oneOf("status", UPGRADE_STATES).notNull(),
  reason: reasonColumn(),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
  completedAt: instant("completed_at"),
}, (t) => [
  check("upgrade_status", checkOneOf("status", UPGRADE_STATES)),
  check("upgrade_batch", sql`batch > 0`),
  index("upgrade_recent").on(t.projectId, t.id),
  index("upgrade_running").on(t.id).where(sql`status = 'running'`),
]);

export const upgradeAgent = pgTable("upgrade_agent", {
  upgradeId: uuid("upgrade_id").notNull().references(() => upgrade.id, { onDelete: "cascade" }),
  agentId: uuid("agent_id").notNull().references(() => agent.id, { onDelete: "cascade" }),
  /** The order in which they are asked. */
  position: integer("position").notNull(),
  state: oneOf("state", UPGRADE_AGENT_STATES).notNull(),
  reason: reasonColumn(),
  fromVersion: text("from_version").notNull().default(""),
  askedAt: instant("asked_at"),
  updatedAt: updatedAt(),
}, (t) => [
  primaryKey({ columns: [t.upgradeId, t.agentId] }),
  check("upgrade_agent_state", checkOneOf("state", UPGRADE_AGENT_STATES)),
  /** What a master must say to the agents that are connected to it. */
  index("upgrade_agent_asked").on(t.agentId).where(sql`state = 'asked'`),
]);
