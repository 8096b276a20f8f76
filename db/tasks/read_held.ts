import type { Database } from "../database.ts";

/** The leases that these agents hold, as the database has them. */
export async function readHeld(db: Database, agentIds: readonly string[]): Promise<{ id: string; fence: number }[]> {
  if (agentIds.length === 0) return [];
  return await db.sql<{ id: string; fence: number }[]>`
    select id, fence from task where agent_id = any(${[...agentIds]}::uuid[])`;
}
