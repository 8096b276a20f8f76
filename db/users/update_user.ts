import { AppError } from "../../domain/app_error.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { hashPassword } from "./hash_password.ts";
import { requireRole } from "../roles/put_role.ts";
import { lockAdmins, refuseWithoutAdmin } from "./keep_an_admin.ts";

/** A new password ends every session of the user; API tokens live on and are revoked one by one. */
export async function updateUser(
  db: Database,
  id: string,
  change: { password?: string; role?: string; email?: string | null },
  actor: Actor,
): Promise<void> {
  const passwordHash = change.password === undefined ? null : await hashPassword(change.password);
  await db.sql.begin(async (tx) => {
    const admins = await lockAdmins(tx, actor.projectId);
    const [found] = await tx`select 1 from member where project_id = ${actor.projectId} and user_id = ${id} for update`;
    if (!found) throw new AppError("not_found", "user.unknown", "There is no such user.");
    if (change.role !== undefined) {
      await requireRole(tx, actor.projectId, change.role);
      if (change.role !== "admin") refuseWithoutAdmin(admins, id);
      await tx`update member set role = ${change.role} where project_id = ${actor.projectId} and user_id = ${id}`;
    }
    if (change.email !== undefined) {
      await tx`update app_user set email = ${change.email}, updated_at = boreas_now() where id = ${id}`;
    }
    if (passwordHash !== null) {
      await tx`update app_user
        set password_hash = ${passwordHash}, sessions_valid_from = boreas_now(), updated_at = boreas_now()
        where id = ${id}`;
      await tx`delete from refresh_token where user_id = ${id}`;
    }
    await recordAudit(db, tx, actor, "user.update", `user:${id}`, {
      ...(change.role !== undefined && { role: change.role }),
      ...(change.email !== undefined && { email: change.email }),
      ...(passwordHash !== null && { password: "changed" }),
    });
  });
}
