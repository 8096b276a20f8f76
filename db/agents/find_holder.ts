import type { Database } from "../database.ts";

/** The agent that was handed this task last. */
export async function findHolder(
  db: Database,
  taskId: string,
): Promise<{ agentId: string; name: string; projectId: string } | undefined> {
  const [agent] = await db.sql<{ agentId: string; name: string; projectId: string }[]>`
    select a.id as agent_id, a.name, a.project_id from task t join agent a on a.id = t.last_agent_id
    where t.id::text = ${taskId}`;
  return agent;
}
