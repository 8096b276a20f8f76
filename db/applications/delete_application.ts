import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

/** Only what no version knows and nothing runs may go: history is never rewritten. Its own secrets go with it. */
export async function deleteApplication(
  { db, hints }: { db: Database; hints: Hints },
  id: string,
  actor: Actor,
): Promise<void> {
  await db.sql.begin(async (tx) => {
    // The row lock holds up whoever is about to refer to it, so what is checked here stays true.
    const [row] = await tx<{ name: string }[]>`
      select name from application where id = ${id} and project_id = ${actor.projectId} for update`;
    if (!row) throw new AppError("not_found", "application.unknown", "There is no such application.");
    const [used] = await tx<{ versions: number; running: number }[]>`
      select (select count(*) from version_app where application_id = ${id}) as versions,
        (select count(*) from app_state where application_id = ${id}) as running`;
    if (used!.running > 0) {
      throw new AppError(
        "conflict",
        "application.running",
        `${row.name} runs on ${used!.running} targets; take it out of them before you delete it.`,
      );
    }
    if (used!.versions > 0) {
      throw new AppError(
        "conflict",
        "application.in_use",
        `${row.name} is part of ${used!.versions} versions, which are kept; delete those versions first.`,
      );
    }
    await tx`delete from secret where application_id = ${id}`;
    await tx`delete from application where id = ${id}`;
    await recordEvents(tx, [{
      topic: "application",
      projectId: actor.projectId,
      subjectId: id,
      kind: "application.deleted",
      data: { name: row.name },
    }]);
    await recordAudit(db, tx, actor, "application.delete", `application:${id}`, { name: row.name });
  });
  hints.announce("events");
}
