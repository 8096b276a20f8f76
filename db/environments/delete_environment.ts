import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

/** Only one that nothing was ever deployed to: deployments are kept. Its bindings and its own secrets go with it. */
export async function deleteEnvironment(
  { db, hints }: { db: Database; hints: Hints },
  id: string,
  actor: Actor,
): Promise<void> {
  await db.sql.begin(async (tx) => {
    // The row lock holds up whoever is about to refer to it, so what is checked here stays true.
    const [row] = await tx<{ name: string }[]>`
      select name from environment where id = ${id} and project_id = ${actor.projectId} for update`;
    if (!row) throw new AppError("not_found", "environment.unknown", "There is no such environment.");
    const [used] = await tx<{ deployments: number; running: number }[]>`
      select (select count(*) from deployment where environment_id = ${id}) as deployments,
        (select count(*) from app_state where environment_id = ${id}) as running`;
    if (used!.deployments > 0 || used!.running > 0) {
      throw new AppError(
        "conflict",
        "environment.in_use",
        `${row.name} has ${
          used!.deployments
        } deployments on record, which are kept; set its status to inactive instead.`,
      );
    }
    await tx`delete from secret where environment_id = ${id}`;
    await tx`delete from environment where id = ${id}`;
    await recordEvents(tx, [{
      topic: "environment",
      projectId: actor.projectId,
      subjectId: id,
      kind: "environment.deleted",
      data: { name: row.name },
    }]);
    await recordAudit(db, tx, actor, "environment.delete", `environment:${id}`, { name: row.name });
  });
  hints.announce("events");
}
