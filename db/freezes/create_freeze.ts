import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

export interface FreezeWish {
  environmentId: string;
  /** By name; all when absent. */
  applications?: string[];
  /** RFC 3339. */
  until: string;
  reason: string;
  /** Who may start something nevertheless; admins only when absent. */
  overrideRole?: string;
}

/** Starts nothing more in an environment until an instant. What runs goes on, and rollbacks are never frozen. */
export async function createFreeze(
  { db, hints }: { db: Database; hints: Hints },
  wish: FreezeWish,
  actor: Actor,
): Promise<string> {
  const id = db.newId();
  await db.sql.begin(async (tx) => {
    const [environment] = await tx<{ name: string; isLater: boolean }[]>`
      select name, ${wish.until}::timestamptz > boreas_now() as is_later from environment
      where id = ${wish.environmentId} and project_id = ${actor.projectId}`;
    if (!environment) throw new AppError("not_found", "environment.unknown", "There is no such environment.");
    if (!environment.isLater) {
      throw new AppError("invalid", "freeze.over", `${wish.until} is not in the future; a freeze ends later than now.`);
    }
    await tx`
      insert into "freeze" (id, project_id, environment_id, applications, reason, override_role, starts_at, ends_at, created_by)
      values (${id}, ${actor.projectId}, ${wish.environmentId}, ${wish.applications ?? null}, ${wish.reason},
        ${wish.overrideRole ?? null}, boreas_now(), ${wish.until}, ${actor.name})`;
    await recordEvents(tx, [{
      topic: "environment",
      projectId: actor.projectId,
      subjectId: wish.environmentId,
      kind: "environment.frozen",
      data: { name: environment.name, by: actor.name, until: wish.until, why: wish.reason },
    }]);
    await recordAudit(db, tx, actor, "freeze.create", `environment:${wish.environmentId}`, { freeze: id, ...wish });
  });
  hints.announce("events");
  return id;
}
