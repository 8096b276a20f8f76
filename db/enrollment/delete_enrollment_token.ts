import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { inTransaction } from "../retry.ts";

/** Nobody enrols with it any more; agents that did keep their identity. */
export async function deleteEnrollmentToken(db: Database, id: string, actor: Actor): Promise<void> {
  await inTransaction(db, async (tx) => {
    const rows =
      await tx`delete from enrollment_token where id = ${id} and project_id = ${actor.projectId} returning id`;
    if (rows.length === 0) {
      throw new AppError("not_found", "enrollment.not_found", `There is no enrolment token ${id} in this project.`);
    }
    await recordAudit(db, tx, actor, "enrollment_token.delete", `enrollment-token:${id}`);
  });
}
