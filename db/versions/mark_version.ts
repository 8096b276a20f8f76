import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

type Deps = { db: Database; hints: Hints };

/** A person says that this version is bad: no trigger deploys it until somebody clears it. */
export const revertVersion = (deps: Deps, id: string, note: string, actor: Actor): Promise<void> =>
  mark(deps, id, "revert", note, actor);
export const unrevertVersion = (deps: Deps, id: string, note: string, actor: Actor): Promise<void> =>
  mark(deps, id, "normal", note, actor);

async function mark({ db, hints }: Deps, id: string, status: "revert" | "normal", note: string, actor: Actor) {
  const isRevert = status === "revert";
  const said = reason(isRevert ? "version.reverted" : "version.unreverted", { actor: actor.name, note });
  await db.sql.begin(async (tx) => {
    const [row] = await tx<{ version: string; before: string }[]>`
      select version, status as before from version where id = ${id} and project_id = ${actor.projectId} for update`;
    if (!row) throw new AppError("not_found", "version.unknown", "There is no such version.");
    if (row.before === status) {
      const is = isRevert ? "is marked as reverted already" : "is not marked as reverted";
      throw new AppError("conflict", "version.wrong_state", `Version ${row.version} ${is}.`);
    }
    await tx`update version set status = ${status}, reason = ${tx.json(said as never)}, updated_at = boreas_now()
      where id = ${id}`;
    await recordEvents(tx, [{
      topic: "version",
      projectId: actor.projectId,
      subjectId: id,
      kind: isRevert ? "version.reverted" : "version.unreverted",
      data: { name: row.version, reason: said },
    }]);
    await recordAudit(db, tx, actor, isRevert ? "version.revert" : "version.unrevert", `version:${id}`, { note });
  });
  hints.announce("events");
}
