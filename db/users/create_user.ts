import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { requireRole } from "../roles/put_role.ts";
import { hashPassword } from "./hash_password.ts";

/** @throws the unique violation `app_user_username_unique` when the name is taken */
export async function createUser(
  db: Database,
  input: { username: string; password: string; role: string; email?: string | null },
  actor: Actor,
): Promise<string> {
  const passwordHash = await hashPassword(input.password);
  const id = db.newId();
  await db.sql.begin(async (tx) => {
    await requireRole(tx, actor.projectId, input.role);
    await tx`insert into app_user (id, username, password_hash, email)
      values (${id}, ${input.username}, ${passwordHash}, ${input.email ?? null})`;
    await tx`insert into member (project_id, user_id, role) values (${actor.projectId}, ${id}, ${input.role})`;
    await recordAudit(db, tx, actor, "user.create", `user:${id}`, { username: input.username, role: input.role });
  });
  return id;
}
