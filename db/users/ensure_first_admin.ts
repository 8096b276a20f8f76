import { DEFAULT_PROJECT, systemActor } from "../database.ts";
import type { Database } from "../database.ts";
import { recordAudit } from "../audit/record_audit.ts";
import { hashPassword } from "./hash_password.ts";

/**
 * Creates the user `admin` when there is no user at all. Two masters may start at once: the advisory lock lets one of
 * them find the other's user.
 * @param password asked for only when it is needed
 * @returns whether it was created
 */
export async function ensureFirstAdmin(
  db: Database,
  password: string | (() => string | Promise<string>),
): Promise<boolean> {
  const [someone] = await db.sql`select 1 from app_user limit 1`;
  if (someone) return false;
  const passwordHash = await hashPassword(typeof password === "string" ? password : await password());
  return await db.sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtext('boreas.first_admin'))`;
    const [other] = await tx`select 1 from app_user limit 1`;
    if (other) return false;
    const id = db.newId();
    await tx`insert into app_user (id, username, password_hash) values (${id}, 'admin', ${passwordHash})`;
    await tx`insert into member (project_id, user_id, role) values (${DEFAULT_PROJECT}, ${id}, 'admin')`;
    await recordAudit(db, tx, systemActor("first start"), "user.create", `user:${id}`, {
      username: "admin",
      role: "admin",
    });
    return true;
  });
}
