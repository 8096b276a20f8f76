/** What people froze by hand; windows that come again and again stand in Plans and in the environments' policies. */
import { index, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { createdAt, id, instant, projectId } from "./columns.ts";
import { environment } from "./catalog.ts";
import { project } from "./people.ts";

export const freeze = pgTable("freeze", {
  id: id(),
  projectId: projectId().references(() => project.id),
  environmentId: uuid("environment_id").notNull().references(() => environment.id, { onDelete: "cascade" }),
  /** Only these; all when null. */
  applications: text("applications").array(),
  reason: text("reason").notNull(),
  /** Who may start nevertheless, with a reason; admins always may. */
  overrideRole: text("override_role"),
  startsAt: instant("starts_at").notNull(),
  /** Moved forward to the present when a person ends it. */
  endsAt: instant("ends_at").notNull(),
  endedBy: text("ended_by"),
  endReason: text("end_reason"),
  createdBy: text("created_by").notNull(),
  createdAt: createdAt(),
}, (t) => [index("freeze_by_environment").on(t.environmentId, t.endsAt)]);
