/**
 * A person says what becomes of an application that a repository's file proposed.
 *
 *   proposed --approve--> an application like any other: the versions that carry it can be deployed
 *   proposed --dismiss--> dismissed --approve--> ... (nobody's first answer is the last)
 */
import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

interface Deps {
  db: Database;
  hints: Hints;
}

export const approveApplication = (deps: Deps, id: string, actor: Actor) => settle(deps, id, "approved", actor);
export const dismissApplication = (deps: Deps, id: string, actor: Actor) => settle(deps, id, "dismissed", actor);

async function settle({ db, hints }: Deps, id: string, to: "approved" | "dismissed", actor: Actor): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [row] = await tx<{ name: string; proposal: "proposed" | "dismissed" | null }[]>`
      select name, proposal from application
      where id = ${id} and project_id = ${actor.projectId} and archived_at is null for update`;
    if (!row) throw new AppError("not_found", "application.unknown", "There is no such application.");
    if (row.proposal === null || row.proposal === to) {
      const what = row.proposal === null ? "is an application already" : "was dismissed before";
      throw new AppError("conflict", "application.settled", `${row.name} ${what}; there is nothing to decide.`);
    }
    await tx`update application set proposal = ${to === "approved" ? null : "dismissed"}, updated_at = boreas_now()
      where id = ${id}`;
    await recordEvents(tx, [{
      topic: "application",
      projectId: actor.projectId,
      subjectId: id,
      kind: `application.${to}`,
      data: { name: row.name },
    }]);
    await recordAudit(
      db,
      tx,
      actor,
      to === "approved" ? "application.approve" : "application.dismiss",
      `application:${id}`,
      {
        name: row.name,
      },
    );
  });
  hints.announce("events");
}
