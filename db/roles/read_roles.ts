import { BASE_ROLES } from "../../domain/roles.ts";
import type { NamedRole } from "../../protocol/http_api.ts";
import type { Fragment } from "../client.ts";
import type { Database, Tx } from "../database.ts";

/** What a member's role may call; a name that nobody defines counts as a viewer. For `m`, a member. */
export const baseOfMember = (sql: Database["sql"] | Tx): Fragment =>
  sql`case when m.role in ('viewer', 'deployer', 'admin') then m.role
    else coalesce((select r.base from role r where r.project_id = m.project_id and r.name = m.role), 'viewer') end`;

/** The three that are always there, then those that the team added. */
export async function readRoles(db: Database, projectId: string): Promise<NamedRole[]> {
  const named = await db.sql<{ name: string; base: NamedRole["base"] }[]>`
    select name, base from role where project_id = ${projectId} order by name`;
  const members = await db.sql<{ role: string; username: string }[]>`
    select m.role, u.username from member m join app_user u on u.id = m.user_id where m.project_id = ${projectId} order by u.username`;
  const all = [
    ...BASE_ROLES.map((name) => ({ name, base: name, builtIn: true })),
    ...named.map((role) => ({ ...role, builtIn: false })),
  ];
  return all.map((role) => ({
    ...role,
    members: members.filter((one) => one.role === role.name).map((one) => one.username),
  }));
}
