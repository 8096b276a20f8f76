import type { Database } from "../database.ts";

/** Those that have deployments; of all projects. */
export async function readEnvironmentIds(db: Database): Promise<string[]> {
  const rows = await db.sql<{ id: string }[]>`
    select id from environment e where exists (select from deployment d where d.environment_id = e.id) order by id`;
  return rows.map((r) => r.id);
}
