import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { RepositoryDeps } from "./repository_row.ts";

/**
 * A person asks to look now: a delivery of the followed branch, whatever its tip is, and a poll that finds tags and other
 * followed branches.
 * @returns the delivery's id
 */
export async function syncRepository(
  { db, hints }: Pick<RepositoryDeps, "db" | "hints">,
  id: string,
  actor: Actor,
): Promise<string> {
  const deliveryId = db.newId();
  await db.sql.begin(async (tx) => {
    const [row] = await tx<{ branch: string }[]>`
      update repository set next_poll_at = boreas_now() where id = ${id} and project_id = ${actor.projectId}
      returning branch`;
    if (!row) throw new AppError("not_found", "repository.unknown", "There is no such repository.");
    await tx`
      insert into delivery (id, project_id, repository_id, delivery_key, source, event, ref, status, reason)
      values (${deliveryId}, ${actor.projectId}, ${id}, ${`sync:${deliveryId}`}, 'sync', 'sync',
        ${`refs/heads/${row.branch}`}, 'received', ${tx.json(reason("delivery.received") as never)})`;
    await recordEvents(tx, [{
      topic: "repository",
      projectId: actor.projectId,
      subjectId: id,
      kind: "delivery.received",
      data: { source: "sync" },
    }]);
    await recordAudit(db, tx, actor, "repository.sync", `repository:${id}`);
  });
  hints.announce("events");
  hints.announce("deliveries");
  return deliveryId;
}
