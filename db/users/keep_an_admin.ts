import { AppError } from "../../domain/app_error.ts";
import type { Tx } from "../database.ts";

/** Locks the rows, so that two who take each other's role away do not both find the other still there. */
export async function lockAdmins(tx: Tx, projectId: string): Promise<string[]> {
  const rows = await tx<{ userId: string }[]>`
    select user_id from member where project_id = ${projectId} and role = 'admin' order by user_id for update`;
  return rows.map((row) => row.userId);
}

export function refuseWithoutAdmin(admins: string[], leaving: string): void {
  if (admins.length === 1 && admins[0] === leaving) {
    throw new AppError("conflict", "user.last_admin", "This is the last admin; make somebody else an admin first.");
  }
}
