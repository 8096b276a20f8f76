import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

export interface NewApplication {
  name: string;
  description: string;
  repository: string | null;
  type: "microservice" | "monolith";
  config: unknown;
}

/** @throws the unique violation `application_name` when the name is taken */
export async function createApplication(
  { db, hints }: { db: Database; hints: Hints },
  input: NewApplication,
  actor: Actor,
): Promise<string> {
  const id = db.newId();
  await db.sql.begin(async (tx) => {
    // An address that is registered makes it that repository's application; another's declaration is refused then.
    await tx`
      insert into application (id, project_id, name, description, repository, repository_id, type, config, created_by)
      values (${id}, ${actor.projectId}, ${input.name}, ${input.description}, ${input.repository},
        (select r.id from repository r where r.project_id = ${actor.projectId} and r.url = ${input.repository}),
        ${input.type}, ${tx.json(input.config as never)}, ${actor.name})`;
    await recordEvents(tx, [{
      topic: "application",
      projectId: actor.projectId,
      subjectId: id,
      kind: "application.created",
      data: { name: input.name },
    }]);
    await recordAudit(db, tx, actor, "application.create", `application:${id}`, { name: input.name });
  });
  hints.announce("events");
  return id;
}
