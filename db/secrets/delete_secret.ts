import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";

/** What runs keeps the value it was started with; the next deployment that asks for it fails by name. */
export async function deleteSecret(db: Database, id: string, actor: Actor): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [gone] = await tx<{ name: string }[]>`
      delete from secret where id = ${id} and project_id = ${actor.projectId} returning name`;
    if (!gone) throw new AppError("not_found", "secret.unknown", "There is no such secret.");
    await recordAudit(db, tx, actor, "secret.delete", `secret:${id}`, { name: gone.name });
  });
}
