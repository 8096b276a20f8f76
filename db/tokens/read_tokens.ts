import type { Database } from "../database.ts";

export interface TokenRow {
  id: string;
  name: string;
  username: string;
  role: string;
  createdAt: string;
  expiresAt: string | null;
  lastUsedAt: string | null;
}

/** Newest first, up to limit + 1; of one user, or of everybody when `userId` is null. */
export async function listTokens(
  db: Database,
  projectId: string,
  { userId, limit, after }: { userId: string | null; limit: number; after?: string },
): Promise<TokenRow[]> {
  return await db.sql<TokenRow[]>`
    select t.id, t.name, u.username, t.role, t.created_at, t.expires_at, t.last_used_at
    from api_token t join app_user u on u.id = t.user_id
    where t.project_id = ${projectId}
      and (${userId}::uuid is null or t.user_id = ${userId}::uuid)
      and (${after ?? null}::uuid is null or t.id < ${after ?? null}::uuid)
    order by t.id desc limit ${limit + 1}`;
}

export async function getToken(
  db: Database,
  projectId: string,
  { userId, id }: { userId: string | null; id: string },
): Promise<TokenRow | undefined> {
  const [row] = await db.sql<TokenRow[]>`
    select t.id, t.name, u.username, t.role, t.created_at, t.expires_at, t.last_used_at
    from api_token t join app_user u on u.id = t.user_id
    where t.project_id = ${projectId} and t.id = ${id} and (${userId}::uuid is null or t.user_id = ${userId}::uuid)`;
  return row;
}
