import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

/**
 * Gives an application to another repository, archived or not: whose files may say what runs under its name. Its
 * history, bindings and what runs of it stay. It counts as declared again with the first push that declares it there,
 * so that no push of the new repository archives it before.
 */
export async function handOver(
  { db, hints }: { db: Database; hints: Hints },
  id: string,
  repositoryId: string,
  actor: Actor,
): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [application] = await tx<{ name: string; repository: string | null; repositoryId: string | null }[]>`
      select name, repository, repository_id from application
      where id = ${id} and project_id = ${actor.projectId} for update`;
    if (!application) throw new AppError("not_found", "application.unknown", "There is no such application.");
    const [repository] = await tx<{ url: string }[]>`
      select url from repository where id = ${repositoryId} and project_id = ${actor.projectId} for share`;
    if (!repository) throw new AppError("not_found", "repository.unknown", "There is no such repository.");
    if (application.repositoryId === repositoryId) {
      throw new AppError(
        "conflict",
        "application.already_there",
        `${application.name} belongs to ${repository.url} already.`,
      );
    }
    await tx`update application set repository_id = ${repositoryId}, repository = ${repository.url}, declared = false,
      updated_at = boreas_now() where id = ${id}`;
    await recordEvents(tx, [{
      topic: "application",
      projectId: actor.projectId,
      subjectId: id,
      kind: "application.handed_over",
      data: { name: application.name },
    }]);
    await recordAudit(db, tx, actor, "application.hand_over", `application:${id}`, {
      name: application.name,
      from: application.repository,
      to: repository.url,
    });
  });
  hints.announce("events");
}
