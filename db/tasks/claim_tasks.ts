/**
 * Hands pending leaves to agents with free slots, in one statement for all of them.
 *
 * Lateral over (agent, free slots): a machine with a long queue never stalls the others. `skip locked` lets several
 * masters claim at once. An untargeted leaf may be picked for two agents of the same statement (one's own locks are not
 * skipped); the update takes it once, and the caller claims again while it has free slots and got something.
 */
import type { Database } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { reason } from "../../domain/reason.ts";

export interface FreeSlots {
  agentId: string;
  agentName: string;
  free: number;
  /** The connection it would be handed out on; another master may have a newer one, and then nothing is claimed here. */
  sessionId?: string;
}
export interface ClaimedTask {
  id: string;
  deploymentId: string;
  projectId: string;
  parentId: string | null;
  appId: string | null;
  environmentId: string;
  name: string;
  agentId: string;
  fence: number;
  attempt: number;
  payload: Record<string, unknown>;
  specSha256: string | null;
}

export async function claimTasks(db: Database, agents: FreeSlots[], leaseSeconds: number): Promise<ClaimedTask[]> {
  const ready = agents.filter((a) => a.free > 0);
  if (ready.length === 0) return [];
  return await inTransaction(db, async (tx) => {
    const claimed = await tx<ClaimedTask[]>`
      with wanted as (
        select w.* from unnest(${ready.map((a) => a.agentId)}::uuid[], ${ready.map((a) => a.agentName)}::text[],
          ${ready.map((a) => a.free)}::int[], ${
      ready.map((a) => a.sessionId ?? null)
    }::uuid[]) as w(agent_id, agent_name, free, session_id)
        where w.session_id is null or exists (select 1 from agent a where a.id = w.agent_id and a.session_id = w.session_id)
      ), picked as (
        select distinct on (p.id) p.id, w.agent_id, w.agent_name from wanted w cross join lateral (
          select * from (select t.id, t.position from task t
            where t.state = 'pending' and t.open and t.is_leaf and t.target_agent_id = w.agent_id and t.run_after <= boreas_now()
            order by t.position, t.id limit w.free for update of t skip locked) targeted
          union all
          select * from (select t.id, t.position from task t join agent_environment e on e.agent_id = w.agent_id and e.environment_id = t.environment_id
            where t.state = 'pending' and t.open and t.is_leaf and t.target_agent_id is null and t.run_after <= boreas_now()
            order by t.position, t.id limit w.free for update of t skip locked) shared
          limit w.free
        ) p order by p.id, w.agent_id
      )
      update task t set
        state = 'leased', agent_id = p.agent_id, last_agent_id = p.agent_id, fence = t.fence + 1, attempt = t.attempt + 1,
        lease_expires_at = boreas_now() + make_interval(secs => ${leaseSeconds}),
        state_since = boreas_now(), updated_at = boreas_now(), started_at = coalesce(t.started_at, boreas_now()),
        reason = jsonb_build_object('code', 'task.leased',
          'params', jsonb_build_object('agent', p.agent_name, 'attempt', t.attempt + 1),
          'text', format('Handed to %s, attempt %s.', p.agent_name, t.attempt + 1))
      from picked p where t.id = p.id and t.state = 'pending' and t.open
      returning t.id, t.deployment_id, t.project_id, t.parent_id, t.app_id, t.environment_id, t.name, t.agent_id, t.fence, t.attempt, t.payload, t.spec_sha256`;
    if (claimed.length === 0) return [];
    const parents = [...new Set(claimed.flatMap((t) => t.parentId ?? []))];
    if (parents.length > 0) {
      await tx`update task set state = 'running', state_since = boreas_now(), updated_at = boreas_now(),
          started_at = coalesce(started_at, boreas_now()), reason = ${
        tx.json(reason("task.children_running", { done: 0, count: claimed.length }) as never)
      }
        where id = any(${parents}::uuid[]) and state in ('blocked', 'pending')`;
    }
    await tx`insert into event (project_id, topic, subject_id, deployment_id, kind, data)
      select project_id, 'task', id, deployment_id, 'task.leased', jsonb_build_object('name', name, 'reason', reason)
      from task where id = any(${claimed.map((t) => t.id)}::uuid[])`;
    return claimed;
  });
}
