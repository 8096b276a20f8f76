import type { BaseRole } from "../../domain/roles.ts";
import type { Database } from "../database.ts";
import { baseOfMember } from "../roles/read_roles.ts";

export interface TokenUser {
  id: string;
  name: string;
  userId: string;
  projectId: string;
  /** What the token was made for. */
  role: string;
  /** What its owner is now: a token is never worth more. */
  ownerRole: string;
  ownerBase: BaseRole;
}

/** Looks a presented token up by its SHA-256. When it was last used is kept to the minute, to spare a write per call. */
export async function useToken(db: Database, hash: Uint8Array): Promise<TokenUser | undefined> {
  const [row] = await db.sql<(TokenUser & { stale: boolean })[]>`
    select t.id, t.name, t.user_id, t.project_id, t.role, m.role as owner_role, ${baseOfMember(db.sql)} as owner_base,
      t.last_used_at is null or t.last_used_at < boreas_now() - interval '1 minute' as stale
    from api_token t join member m on m.user_id = t.user_id and m.project_id = t.project_id
    where t.hash = ${hash} and (t.expires_at is null or t.expires_at > boreas_now())`;
  if (!row) return undefined;
  const { stale, ...user } = row;
  if (stale) await db.sql`update api_token set last_used_at = boreas_now() where id = ${user.id}`;
  return user;
}
