/** What somebody wants to know of a repository's history: the master that has the mirrors answers. */
import { check, index, jsonb, pgTable, uuid } from "drizzle-orm/pg-core";
import { checkOneOf, createdAt, id, instant, oneOf, projectId } from "./columns.ts";
import { repository } from "./catalog.ts";

export const sourceQuery = pgTable("source_query", {
  id: id(),
  projectId: projectId(),
  /** null: of every repository of the project. */
  repositoryId: uuid("repository_id").references(() => repository.id, { onDelete: "cascade" }),
  kind: oneOf("kind", ["contains", "commits", "plan"]).notNull(),
  input: jsonb("input").$type<Record<string, unknown>>().notNull(),
  /** One of them stands when it has been answered: what was found, or why nothing can be. */
  answer: jsonb("answer").$type<Record<string, unknown>>(),
  refusal: jsonb("refusal").$type<{ kind: string; code: string; message: string }>(),
  /** Who took it has so long; then another may. */
  claimedUntil: instant("claimed_until"),
  answeredAt: instant("answered_at"),
  createdAt: createdAt(),
}, (t) => [
  check("source_query_kind", checkOneOf("kind", ["contains", "commits", "plan"])),
  index("source_query_of_repository").on(t.repositoryId),
]);
