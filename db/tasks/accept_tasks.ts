import type { Database } from "../database.ts";

export interface Lease {
  taskId: string;
  fence: number;
}
const columns = (leases: readonly Lease[]) => [leases.map((l) => l.taskId), leases.map((l) => l.fence)] as const;

/** leased -> running: the agent has begun. Only under the live fence and by its holder. Returns the ids that were taken. */
export async function acceptTasks(db: Database, agentId: string, leases: readonly Lease[]): Promise<string[]> {
  const [ids, fences] = columns(leases);
  const rows = await db.sql<{ id: string }[]>`
    with accepted as (
      update task t set state = 'running', state_since = boreas_now(), updated_at = boreas_now(),
        reason = jsonb_build_object('code', 'task.running', 'params', t.reason -> 'params',
          'text', format('Running on %s, attempt %s.', t.reason -> 'params' ->> 'agent', t.attempt))
      from unnest(${ids}::uuid[], ${fences}::bigint[]) as r(id, fence)
      where t.id = r.id and t.fence = r.fence and t.agent_id = ${agentId} and t.state = 'leased'
      returning t.id, t.project_id, t.deployment_id, t.name, t.reason
    ), noted as (
      insert into event (project_id, topic, subject_id, deployment_id, kind, data)
      select project_id, 'task', id, deployment_id, 'task.running', jsonb_build_object('name', name, 'reason', reason) from accepted
    )
    select id from accepted`;
  return rows.map((r) => r.id);
}

/** Moves the end of each lease on; ids that are missing from the answer belong to somebody else now. */
export async function renewLeases(
  db: Database,
  agentId: string,
  leases: readonly Lease[],
  leaseSeconds: number,
): Promise<string[]> {
  const [ids, fences] = columns(leases);
  const rows = await db.sql<{ id: string }[]>`
    update task t set lease_expires_at = boreas_now() + make_interval(secs => ${leaseSeconds})
    from unnest(${ids}::uuid[], ${fences}::bigint[]) as r(id, fence)
    where t.id = r.id and t.fence = r.fence and t.agent_id = ${agentId} and t.state in ('leased', 'running', 'cancelling')
    returning t.id`;
  return rows.map((r) => r.id);
}
