import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { lockAdmins, refuseWithoutAdmin } from "./keep_an_admin.ts";

/** Sessions and API tokens of the user go with it; what the user did stays in the audit and keeps its name. */
export async function deleteUser(db: Database, id: string, actor: Actor): Promise<void> {
  await db.sql.begin(async (tx) => {
    refuseWithoutAdmin(await lockAdmins(tx, actor.projectId), id);
    const [approved] = await tx`select 1 from approval where user_id = ${id} limit 1`;
    if (approved) {
      throw new AppError(
        "conflict",
        "user.in_use",
        "This user's approvals are part of deployments' records; take the role away (viewer) and change the password instead.",
      );
    }
    const [gone] = await tx<{ username: string }[]>`
      delete from app_user u using member m
      where u.id = ${id} and m.user_id = u.id and m.project_id = ${actor.projectId} returning u.username`;
    if (!gone) throw new AppError("not_found", "user.unknown", "There is no such user.");
    await recordAudit(db, tx, actor, "user.delete", `user:${id}`, { username: gone.username });
  });
}
