import type { Database } from "../database.ts";

/**
 * Which of these leases the agent cannot have had: a fence that was never given out, or one that was given to another.
 * Late words about a lease that was its own once are none of these.
 */
export async function findTrespasses(
  db: Database,
  agentId: string,
  leases: readonly { taskId: string; fence: number }[],
): Promise<{ taskId: string; fence: number }[]> {
  return await db.sql<{ taskId: string; fence: number }[]>`
    select distinct t.id as task_id, l.fence
    from unnest(${leases.map((l) => l.taskId)}::text[], ${leases.map((l) => l.fence)}::bigint[]) as l(task_id, fence)
    join task t on t.id::text = l.task_id
    where l.fence > t.fence or l.fence = t.fence and t.last_agent_id is distinct from ${agentId}::uuid`;
}
