/** What gates measured, who may answer for whom, and links that let one person answer once. */
import { doublePrecision, index, integer, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { check } from "drizzle-orm/pg-core";
import { MEASUREMENT_VERDICTS } from "../../domain/judge_gate.ts";
import { BASE_ROLES } from "../../domain/roles.ts";
import { bytea, checkOneOf, createdAt, id, instant, oneOf, projectId } from "./columns.ts";
import { appUser, project } from "./people.ts";
import { deployment, task } from "./work.ts";

/** A role that a team added: its name means something to rules, its base says which calls it may make. */
export const role = pgTable("role", {
  projectId: projectId().references(() => project.id),
  name: text("name").notNull(),
  base: oneOf("base", BASE_ROLES).notNull(),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
}, (t) => [primaryKey({ columns: [t.projectId, t.name] }), check("role_base", checkOneOf("base", BASE_ROLES))]);

/** One look of a gate. The number counts per task, so that a look that is reported twice is one row; the newest are kept. */
export const measurement = pgTable("measurement", {
  taskId: uuid("task_id").notNull().references(() => task.id, { onDelete: "cascade" }),
  number: integer("number").notNull(),
  at: instant("at").notNull(),
  /** null where there was none, or where it is no finite number: the note says what it was. */
  value: doublePrecision("value"),
  verdict: oneOf("verdict", MEASUREMENT_VERDICTS).notNull(),
  note: text("note").notNull().default(""),
}, (t) => [
  primaryKey({ columns: [t.taskId, t.number] }),
  check("measurement_verdict", checkOneOf("verdict", MEASUREMENT_VERDICTS)),
]);

/** A signed link that lets one person answer one request once. The signature is in the link; what is spent stands here. */
export const approvalLink = pgTable("approval_link", {
  id: id(),
  projectId: projectId(),
  deploymentId: uuid("deployment_id").notNull().references(() => deployment.id, { onDelete: "cascade" }),
  /** null: the deployment's own approval. */
  taskId: uuid("task_id"),
  userId: uuid("user_id").notNull().references(() => appUser.id, { onDelete: "cascade" }),
  /** Bound to the plan it was made for. */
  planHash: text("plan_hash").notNull(),
  /** SHA-256 of the link's grant. */
  hash: bytea("hash").notNull().unique(),
  expiresAt: instant("expires_at").notNull(),
  usedAt: instant("used_at"),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
}, (t) => [index("approval_link_by_deployment").on(t.deploymentId), index("approval_link_by_user").on(t.userId)]);
