import { AppError } from "../../domain/app_error.ts";
import { hasRole } from "../../domain/roles.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

/**
 * Ends a freeze before its time: by who made it, who may override it, or an admin. What waited for its end starts. The
 * names of tokens are anybody's to choose: with one, it is who alone had a token of that name when the freeze was made.
 */
export async function endFreeze(
  { db, hints }: { db: Database; hints: Hints },
  id: string,
  reason: string,
  actor: Actor,
): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [freeze] = await tx<
      {
        environmentId: string;
        name: string;
        createdBy: string;
        isMaker: boolean;
        overrideRole: string | null;
        isOver: boolean;
      }[]
    >`
      select f.environment_id, e.name, f.created_by, f.override_role, f.ends_at <= boreas_now() as is_over,
        f.created_by = ${actor.name} and (f.created_by not like 'token:%' or (
          select coalesce(bool_and(t.user_id = ${actor.userId}::uuid), false) from api_token t
          where t.project_id = f.project_id and 'token:' || t.name = f.created_by and t.created_at <= f.created_at)) as is_maker
      from "freeze" f join environment e on e.id = f.environment_id where f.id = ${id} and f.project_id = ${actor.projectId} for update of f`;
    if (!freeze) throw new AppError("not_found", "freeze.unknown", "There is no such freeze.");
    if (freeze.isOver) throw new AppError("conflict", "freeze.over", "This freeze is over already.");
    if (!freeze.isMaker && !hasRole(actor, freeze.overrideRole ? [freeze.overrideRole] : [])) {
      throw new AppError(
        "forbidden",
        "freeze.role",
        `${freeze.createdBy} froze ${freeze.name}; only they, ${
          freeze.overrideRole ? `the role ${freeze.overrideRole}, ` : ""
        }or an admin can end that.`,
      );
    }
    await tx`update "freeze" set ends_at = boreas_now(), ended_by = ${actor.name}, end_reason = ${reason} where id = ${id}`;
    await lookAgain(tx, freeze.environmentId);
    await recordEvents(tx, [{
      topic: "environment",
      projectId: actor.projectId,
      subjectId: freeze.environmentId,
      kind: "environment.thawed",
      data: { name: freeze.name, by: actor.name, why: reason },
    }]);
    await recordAudit(db, tx, actor, "freeze.end", `environment:${freeze.environmentId}`, { freeze: id, reason });
  });
  hints.announce("events");
  hints.announce("tasks");
}

/** What waits for the end of a freeze is looked at by the next sweep: it may be over, or another may hold it. */
export async function lookAgain(tx: Tx, environmentId: string): Promise<void> {
  await tx`update deployment set frozen_until = null
    where environment_id = ${environmentId} and status in ('pending', 'awaiting_approval') and frozen_until is not null`;
}
