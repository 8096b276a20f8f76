import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { RepositoryDeps } from "./repository_row.ts";

/** Works on an earlier delivery's ref and commit once more, as a delivery of its own. @returns its id */
export async function redeliver(
  { db, hints }: Pick<RepositoryDeps, "db" | "hints">,
  repositoryId: string,
  deliveryId: string,
  actor: Actor,
): Promise<string> {
  const id = db.newId();
  await db.sql.begin(async (tx) => {
    const [row] = await tx<{ ref: string | null; commit: string | null; pull: unknown }[]>`
      select ref, commit, pull from delivery
      where id = ${deliveryId} and repository_id = ${repositoryId} and project_id = ${actor.projectId}`;
    if (!row) throw new AppError("not_found", "delivery.unknown", "There is no such delivery of this repository.");
    if (row.ref === null) {
      throw new AppError(
        "conflict",
        "delivery.no_ref",
        "This delivery names no branch or tag, so there is nothing to do again.",
      );
    }
    await tx`
      insert into delivery (id, project_id, repository_id, delivery_key, source, event, ref, commit, pull, status, reason)
      values (${id}, ${actor.projectId}, ${repositoryId}, ${`redeliver:${id}`}, 'redeliver', 'redeliver', ${row.ref},
        ${row.commit}, ${row.pull === null ? null : tx.json(row.pull as never)}, 'received', ${
      tx.json(reason("delivery.received") as never)
    })`;
    await recordEvents(tx, [{
      topic: "repository",
      projectId: actor.projectId,
      subjectId: repositoryId,
      kind: "delivery.received",
      data: { source: "redeliver" },
    }]);
    await recordAudit(db, tx, actor, "delivery.redeliver", `delivery:${deliveryId}`, { as: id });
  });
  hints.announce("events");
  hints.announce("deliveries");
  return id;
}
