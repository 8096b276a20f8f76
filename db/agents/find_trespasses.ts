import type { Database } from "../database.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Which of these leases the agent cannot have had: a fence that was never given out, or one that was given to another.
 * Late words about a lease that was its own once are none of these.
 */
export async function findTrespasses(
  db: Database,
  agentId: string,
  leases: readonly { taskId: string; fence: number }[],
): Promise<{ taskId: string; fence: number }[]> {
  const possible = leases.filter((lease) => UUID.test(lease.taskId)); // what no task can be called is nobody's
  if (possible.length === 0) return [];
  return await db.sql<{ taskId: string; fence: number }[]>`
    select distinct t.id as task_id, l.fence
    from unnest(${possible.map((l) => l.taskId)}::uuid[], ${
    possible.map((l) => l.fence)
  }::bigint[]) as l(task_id, fence)
    join task t on t.id = l.task_id
    where l.fence > t.fence or l.fence = t.fence and t.last_agent_id is distinct from ${agentId}::uuid`;
}
