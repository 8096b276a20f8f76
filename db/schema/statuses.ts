/** What the provider of a repository is told of its commits. */
import { check, index, integer, pgTable, text, unique, uuid } from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import { COMMIT_STATES, STATUS_DELIVERY_STATES } from "../../domain/commit_status.ts";
import { checkOneOf, createdAt, id, instant, oneOf, projectId, reasonColumn } from "./columns.ts";
import { repository } from "./catalog.ts";

/** One line beside a commit: what it should say, and how far that has been told. */
export const commitStatus = pgTable("commit_status", {
  id: id(),
  projectId: projectId(),
  repositoryId: uuid("repository_id").notNull().references(() => repository.id, { onDelete: "cascade" }),
  commit: text("commit").notNull(),
  /** `boreas` of the commit's plan, `boreas/prod` of what became of it in prod. */
  context: text("context").notNull(),
  state: oneOf("state", COMMIT_STATES).notNull(),
  description: text("description").notNull(),
  /** Of the page that it leads to, below the dashboard's address. */
  path: text("path").notNull(),
  /** Grows with every change of what it should say: what was told of an older one is told again. */
  revision: integer("revision").notNull().default(1),
  status: oneOf("status", STATUS_DELIVERY_STATES).notNull(),
  reason: reasonColumn(),
  attempts: integer("attempts").notNull().default(0),
  /** Grows with every claim: whose answer counts. */
  claim: integer("claim").notNull().default(0),
  /** Not before this instant; a worker that takes it moves it forward as its lease. */
  runAfter: instant("run_after").notNull().default(sql`boreas_now()`),
  createdAt: createdAt(),
  changedAt: instant("changed_at").notNull().default(sql`boreas_now()`),
  sentAt: instant("sent_at"),
}, (t) => [
  unique("commit_status_once").on(t.repositoryId, t.commit, t.context),
  check("commit_status_state", checkOneOf("state", COMMIT_STATES)),
  check("commit_status_status", checkOneOf("status", STATUS_DELIVERY_STATES)),
  index("commit_status_due").on(t.runAfter).where(sql`status in ('waiting', 'sending')`),
  index("commit_status_recent").on(t.repositoryId, t.id),
]);
