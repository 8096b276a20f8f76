import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

/** Binds an application to an environment, or changes what is overlaid there. From now on it is a person's binding. */
export async function bindEnvironment(
  { db, hints }: { db: Database; hints: Hints },
  { applicationId, environmentId, config }: { applicationId: string; environmentId: string; config: unknown },
  actor: Actor,
): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [application] = await tx<{ name: string }[]>`
      select name from application
      where id = ${applicationId} and project_id = ${actor.projectId} and archived_at is null for share`;
    if (!application) throw new AppError("not_found", "application.unknown", "There is no such application.");
    const [environment] = await tx<{ name: string }[]>`
      select name from environment where id = ${environmentId} and project_id = ${actor.projectId} for share`;
    if (!environment) throw new AppError("not_found", "environment.unknown", "There is no such environment.");
    await tx`
      insert into application_environment (application_id, environment_id, project_id, source, config)
      values (${applicationId}, ${environmentId}, ${actor.projectId}, 'api', ${tx.json(config as never)})
      on conflict (application_id, environment_id) do update set config = excluded.config, source = 'api', removed_at = null`;
    await recordEvents(tx, [{
      topic: "application",
      projectId: actor.projectId,
      subjectId: applicationId,
      kind: "application.bound",
      data: { name: application.name, environment: environment.name },
    }]);
    await recordAudit(db, tx, actor, "application.bind", `application:${applicationId}`, {
      environment: environment.name,
    });
  });
  hints.announce("events");
}
