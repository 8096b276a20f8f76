import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";

export interface NewToken {
  userId: string;
  name: string;
  role: string;
  hash: Uint8Array;
  expiresInSeconds?: number;
}

export async function createToken(db: Database, token: NewToken, actor: Actor): Promise<string> {
  const id = db.newId();
  await db.sql.begin(async (tx) => {
    await tx`insert into api_token (id, project_id, user_id, name, hash, role, expires_at)
      values (${id}, ${actor.projectId}, ${token.userId}, ${token.name}, ${token.hash}, ${token.role},
        boreas_now() + make_interval(secs => ${token.expiresInSeconds ?? null}::double precision))`;
    await recordAudit(db, tx, actor, "token.create", `token:${id}`, { name: token.name, role: token.role });
  });
  return id;
}
