import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

export interface ApplicationChange {
  description?: string;
  type?: "microservice" | "monolith";
  /** Replaces the whole of it. Versions that were recorded keep what they have. */
  config?: unknown;
}

export async function updateApplication(
  { db, hints }: { db: Database; hints: Hints },
  id: string,
  change: ApplicationChange,
  actor: Actor,
): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [row] = await tx<{ name: string }[]>`
      update application set
        description = coalesce(${change.description ?? null}, description),
        type = coalesce(${change.type ?? null}, type),
        config = coalesce(${change.config === undefined ? null : tx.json(change.config as never)}, config),
        updated_at = boreas_now()
      where id = ${id} and project_id = ${actor.projectId} and archived_at is null
      returning name`;
    if (!row) throw new AppError("not_found", "application.unknown", "There is no such application.");
    await recordEvents(tx, [{
      topic: "application",
      projectId: actor.projectId,
      subjectId: id,
      kind: "application.changed",
      data: { name: row.name },
    }]);
    await recordAudit(db, tx, actor, "application.update", `application:${id}`, { changed: Object.keys(change) });
  });
  hints.announce("events");
}
