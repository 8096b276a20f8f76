import { AppError } from "../../domain/app_error.ts";
import { isBaseRole } from "../../domain/roles.ts";
import type { BaseRole } from "../../domain/roles.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";

/** Adds a role, or lets one that is there call something else from now on. */
export async function putRole(db: Database, name: string, base: BaseRole, actor: Actor): Promise<void> {
  if (isBaseRole(name)) {
    throw new AppError("conflict", "role.built_in", `${name} is always there, and is what it is; choose another name.`);
  }
  await db.sql.begin(async (tx) => {
    await tx`insert into role (project_id, name, base, created_by) values (${actor.projectId}, ${name}, ${base}, ${actor.name})
      on conflict (project_id, name) do update set base = excluded.base`;
    await recordAudit(db, tx, actor, "role.put", `role:${name}`, { base });
  });
}

/** @throws AppError `role.in_use` while somebody has it */
export async function deleteRole(db: Database, name: string, actor: Actor): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [member] = await tx<{ username: string }[]>`
      select u.username from member m join app_user u on u.id = m.user_id
      where m.project_id = ${actor.projectId} and m.role = ${name} order by u.username limit 1`;
    if (member) {
      const text = `${member.username} has the role ${name}; give them another first (PATCH /users/:id).`;
      throw new AppError("conflict", "role.in_use", text);
    }
    const gone = await tx`delete from role where project_id = ${actor.projectId} and name = ${name} returning name`;
    if (gone.length === 0) throw new AppError("not_found", "role.unknown", `There is no role ${name} that was added.`);
    await recordAudit(db, tx, actor, "role.delete", `role:${name}`);
  });
}

/** A member has a role that exists. The row is held, so that it is not deleted meanwhile. */
export async function requireRole(tx: Tx, projectId: string, name: string): Promise<void> {
  if (isBaseRole(name)) return;
  const [role] = await tx`select 1 from role where project_id = ${projectId} and name = ${name} for key share`;
  if (role) return;
  const text = `There is no role ${name}; add it first: PUT /roles/${name} {"base": "viewer"}.`;
  throw new AppError("invalid", "role.unknown", text);
}
