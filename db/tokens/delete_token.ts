import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";

/** @param userId whose tokens may be deleted; null for everybody's */
export async function deleteToken(db: Database, id: string, userId: string | null, actor: Actor): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [gone] = await tx<{ name: string }[]>`
      delete from api_token where id = ${id} and project_id = ${actor.projectId}
        and (${userId}::uuid is null or user_id = ${userId}::uuid) returning name`;
    if (!gone) throw new AppError("not_found", "token.unknown", "There is no such token among those you may see.");
    await recordAudit(db, tx, actor, "token.delete", `token:${id}`, { name: gone.name });
  });
}
