import type { Database } from "../database.ts";

/** Environments that take deployments, by name. */
export async function listActive(db: Database, projectId: string): Promise<{ id: string; name: string }[]> {
  return await db.sql<{ id: string; name: string }[]>`
    select id, name from environment where project_id = ${projectId} and status = 'active' order by name`;
}
