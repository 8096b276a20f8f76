import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";

export interface NewSession {
  userId: string;
  /** The hash that the password was checked against: if it changed meanwhile, the sign-in is void. */
  passwordHash: string;
  /** SHA-256 of the refresh token. */
  refreshHash: Uint8Array;
  lifetimeSeconds: number;
}

/** @returns the family that every later refresh belongs to; undefined when the password was changed in between */
export async function startSession(db: Database, session: NewSession, actor: Actor): Promise<string | undefined> {
  const family = db.newId();
  return await db.sql.begin(async (tx) => {
    const [user] = await tx`
      select 1 from app_user where id = ${session.userId} and password_hash = ${session.passwordHash} for share`;
    if (!user) return undefined;
    await tx`delete from refresh_token where user_id = ${session.userId} and expires_at < boreas_now()`;
    await tx`insert into refresh_token (id, user_id, family, hash, expires_at) values (${db.newId()}, ${session.userId},
      ${family}, ${session.refreshHash}, boreas_now() + make_interval(secs => ${session.lifetimeSeconds}))`;
    await recordAudit(db, tx, actor, "auth.login", `user:${session.userId}`);
    return family;
  });
}
