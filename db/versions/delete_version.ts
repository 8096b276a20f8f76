import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

/** @throws AppError conflict while it runs somewhere, or while deployments in the history speak of it */
export async function deleteVersion(
  { db, hints }: { db: Database; hints: Hints },
  id: string,
  actor: Actor,
): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [row] = await tx<{ version: string }[]>`
      select version from version where id = ${id} and project_id = ${actor.projectId} for update`;
    if (!row) throw new AppError("not_found", "version.unknown", "There is no such version.");
    const places = await tx<{ name: string }[]>`
      select distinct e.name from app_state s join environment e on e.id = s.environment_id
      where s.version_id = ${id} order by e.name`;
    if (places.length > 0) {
      const where = places.map((place) => place.name).join(", ");
      throw new AppError(
        "conflict",
        "version.deployed",
        `Version ${row.version} runs in ${where}; deploy another one there first.`,
      );
    }
    const [deployments] = await tx<{ n: number }[]>`select count(*)::int as n from deployment where version_id = ${id}`;
    if (deployments!.n > 0) {
      throw new AppError(
        "conflict",
        "version.in_history",
        `Version ${row.version} has ${
          deployments!.n
        } deployments in the history, which need it; mark it as reverted instead.`,
      );
    }
    await tx`delete from version where id = ${id}`;
    await recordEvents(tx, [{
      topic: "version",
      projectId: actor.projectId,
      subjectId: id,
      kind: "version.deleted",
      data: { name: row.version },
    }]);
    await recordAudit(db, tx, actor, "version.delete", `version:${id}`, { version: row.version });
  });
  hints.announce("events");
}
