import { bindEmbedded } from "../agents/register_embedded.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

export interface NewEnvironment {
  name: string;
  type: string;
  region: string;
  config: unknown;
  policy: unknown;
  status: string;
}

/** @throws the unique violation `environment_name` when the name is taken */
export async function createEnvironment(
  { db, hints }: { db: Database; hints: Hints },
  input: NewEnvironment,
  actor: Actor,
): Promise<string> {
  const id = db.newId();
  await db.sql.begin(async (tx) => {
    await tx`
      insert into environment (id, project_id, name, type, region, config, policy, status, created_by)
      values (${id}, ${actor.projectId}, ${input.name}, ${input.type}, ${input.region},
        ${tx.json(input.config as never)}, ${tx.json(input.policy as never)}, ${input.status}, ${actor.name})`;
    await bindEmbedded(tx); // an operator inside a master serves every environment of its kind, from the first moment
    await recordEvents(tx, [{
      topic: "environment",
      projectId: actor.projectId,
      subjectId: id,
      kind: "environment.created",
      data: { name: input.name },
    }]);
    await recordAudit(db, tx, actor, "environment.create", `environment:${id}`, { name: input.name, type: input.type });
  });
  hints.announce("events");
  hints.announce("tasks");
  return id;
}
