import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { RepositoryDeps } from "./repository_row.ts";

/** Forgets the remote and its deliveries. Versions, applications and what runs stay. */
export async function deleteRepository(
  { db, hints }: Pick<RepositoryDeps, "db" | "hints">,
  id: string,
  actor: Actor,
): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [row] = await tx<{ url: string }[]>`
      delete from repository where id = ${id} and project_id = ${actor.projectId} returning url`;
    if (!row) throw new AppError("not_found", "repository.unknown", "There is no such repository.");
    await recordEvents(tx, [{
      topic: "repository",
      projectId: actor.projectId,
      subjectId: id,
      kind: "repository.deleted",
      data: { name: row.url },
    }]);
    await recordAudit(db, tx, actor, "repository.delete", `repository:${id}`, { url: row.url });
  });
  hints.announce("events");
}
