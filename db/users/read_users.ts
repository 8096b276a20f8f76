import type { BaseRole } from "../../domain/roles.ts";
import type { Database } from "../database.ts";
import { baseOfMember } from "../roles/read_roles.ts";

export interface UserRow {
  id: string;
  username: string;
  email: string | null;
  role: string;
  base: BaseRole;
  createdAt: string;
}

/** Newest first; up to limit + 1 rows. */
export async function listUsers(
  db: Database,
  projectId: string,
  { limit, after }: { limit: number; after?: string },
): Promise<UserRow[]> {
  return await db.sql<UserRow[]>`
    select u.id, u.username, u.email, m.role, ${baseOfMember(db.sql)} as base, u.created_at
    from app_user u join member m on m.user_id = u.id and m.project_id = ${projectId}
    where ${after ?? null}::uuid is null or u.id < ${after ?? null}::uuid
    order by u.id desc limit ${limit + 1}`;
}

export async function getUser(db: Database, projectId: string, id: string): Promise<UserRow | undefined> {
  const [row] = await db.sql<UserRow[]>`
    select u.id, u.username, u.email, m.role, ${baseOfMember(db.sql)} as base, u.created_at
    from app_user u join member m on m.user_id = u.id and m.project_id = ${projectId}
    where u.id = ${id}`;
  return row;
}

/** For signing in: a user with the role of the project that is signed in to. */
export async function findUserByName(
  db: Database,
  projectId: string,
  username: string,
): Promise<UserRow & { passwordHash: string } | undefined> {
  const [row] = await db.sql<(UserRow & { passwordHash: string })[]>`
    select u.id, u.username, u.email, m.role, ${baseOfMember(db.sql)} as base, u.created_at, u.password_hash
    from app_user u join member m on m.user_id = u.id and m.project_id = ${projectId}
    where u.username = ${username}`;
  return row;
}
