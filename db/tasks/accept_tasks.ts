import type { Database } from "../database.ts";
import { whenAsked } from "../retry.ts";

export interface HeldLease {
  taskId: string;
  fence: number;
  agentId: string;
}
const columns = (leases: readonly HeldLease[]) =>
  [leases.map((l) => l.taskId), leases.map((l) => l.fence), leases.map((l) => l.agentId)] as const;

/*
 * `agent_id is not distinct from`, not `=`: a lease is found by its task. By the index of what agents hold, each of an
 * agent's leases would be looked for among all of them.
 */

/** leased -> running: the agent has begun. Only under the live fence and by its holder. Returns the ids that were taken. */
export async function acceptTasks(db: Database, leases: readonly HeldLease[]): Promise<string[]> {
  const [ids, fences, agents] = columns(leases);
  const rows = await whenAsked(() =>
    db.sql<{ id: string }[]>`
    with accepted as (
      update task t set state = 'running', state_since = boreas_now(), updated_at = boreas_now(),
        reason = jsonb_build_object('code', 'task.running', 'params', t.reason -> 'params',
          'text', format('Running on %s, attempt %s.', t.reason -> 'params' ->> 'agent', t.attempt))
      from unnest(${ids}::uuid[], ${fences}::bigint[], ${agents}::uuid[]) as r(id, fence, agent_id)
      where t.id = r.id and t.fence = r.fence and t.agent_id is not distinct from r.agent_id and t.state = 'leased'
      returning t.id, t.project_id, t.deployment_id, t.name, t.reason
    ), noted as (
      insert into event (project_id, topic, subject_id, deployment_id, kind, data)
      select project_id, 'task', id, deployment_id, 'task.running', jsonb_build_object('name', name, 'reason', reason) from accepted
    )
    select id from accepted`
  );
  return rows.map((r) => r.id);
}

/** Moves the end of each lease on; ids that are missing from the answer belong to somebody else now. */
export async function renewLeases(db: Database, leases: readonly HeldLease[], leaseSeconds: number): Promise<string[]> {
  const [ids, fences, agents] = columns(leases);
  const rows = await whenAsked(() =>
    db.sql<{ id: string }[]>`
    update task t set lease_expires_at = boreas_now() + make_interval(secs => ${leaseSeconds})
    from unnest(${ids}::uuid[], ${fences}::bigint[], ${agents}::uuid[]) as r(id, fence, agent_id)
    where t.id = r.id and t.fence = r.fence and t.agent_id is not distinct from r.agent_id and t.state in ('leased', 'running', 'cancelling')
    returning t.id`
  );
  return rows.map((r) => r.id);
}
