import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

/** Tells it once more, as it stands now: after a token was mended, or somebody else's tool wrote over it. */
export async function resendStatus(
  { db, hints }: { db: Database; hints: Hints },
  repositoryId: string,
  id: string,
  actor: Actor,
): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [row] = await tx<{ status: string; context: string }[]>`
      select status, context from commit_status
      where id = ${id} and repository_id = ${repositoryId} and project_id = ${actor.projectId} for update`;
    if (!row) throw new AppError("not_found", "status.unknown", "There is no such commit status of this repository.");
    if (row.status === "sending") {
      throw new AppError("conflict", "status.sending", "It is being sent at this moment; look again shortly.");
    }
    const said = reason("notification.waiting");
    await tx`update commit_status set status = 'waiting', attempts = 0, run_after = boreas_now(),
      reason = ${tx.json(said as never)} where id = ${id}`;
    await recordEvents(tx, [{
      topic: "repository",
      projectId: actor.projectId,
      subjectId: repositoryId,
      kind: "status.waiting",
      data: { name: row.context, reason: said },
    }]);
    await recordAudit(db, tx, actor, "status.resend", `repository:${repositoryId}`, { status: id });
  });
  hints.announce("events");
}
