import type { BaseRole } from "../../domain/roles.ts";
import type { Database } from "../database.ts";
import { baseOfMember } from "../roles/read_roles.ts";

export interface SessionUser {
  userId: string;
  username: string;
  role: string;
  base: BaseRole;
}

/** The user of a session that has not ended, with the role as it is now: a lost role works at once. */
export async function readSession(
  db: Database,
  projectId: string,
  userId: string,
  family: string,
): Promise<SessionUser | undefined> {
  const [row] = await db.sql<SessionUser[]>`
    select u.id as user_id, u.username, m.role, ${baseOfMember(db.sql)} as base
    from app_user u join member m on m.user_id = u.id and m.project_id = ${projectId}
    where u.id = ${userId} and exists (
      select 1 from refresh_token r
      where r.family = ${family} and r.user_id = u.id and r.created_at >= u.sessions_valid_from)`;
  return row;
}
