/**
 * Hands pending leaves to agents with free slots, in one statement for all of them.
 *
 * Lateral over (agent, free slots): a machine with a long queue never stalls the others. `skip locked` lets several
 * masters claim at once. An untargeted leaf may be picked for two agents of the same statement (one's own locks are not
 * skipped); the update takes it once, and the caller claims again when it got such ones. They come in the plan's order.
 */
import type { Sql } from "../client.ts";
import type { Database, Tx } from "../database.ts";
import { mayMove } from "../deployments/may_move.ts";
import { whenAsked } from "../retry.ts";

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
  /** No machine is named for it: another agent of the same claim may have been meant to have it, and got nothing. */
  isShared?: boolean;
}

export async function claimTasks(db: Database, agents: FreeSlots[], leaseSeconds: number): Promise<ClaimedTask[]> {
  return await whenAsked(() => claim(db.sql, agents, leaseSeconds));
}

/**
 * The same as part of a transaction that has made some tasks ready, for these alone, unless their deployment may have a
 * move to make first. By id: a plan by deployment would read all that has ended in it, one by position all that waits
 * elsewhere.
 */
export async function claim(
  sql: Sql | Tx,
  agents: readonly FreeSlots[],
  leaseSeconds: number,
  readyIds?: readonly string[],
): Promise<ClaimedTask[]> {
  const ready = agents.filter((a) => a.free > 0);
  if (ready.length === 0) return [];
  const within = readyIds
    ? sql`and t.id = any(${readyIds}::uuid[]) and not (${mayMove(sql, sql`t.deployment_id`)})`
    : sql``;
  return await sql<ClaimedTask[]>`
    with wanted as (
      select w.* from unnest(${ready.map((a) => a.agentId)}::uuid[], ${ready.map((a) => a.agentName)}::text[],
        ${ready.map((a) => a.free)}::int[], ${ready.map((a) => a.sessionId ?? null)}::uuid[])
        as w(agent_id, agent_name, free, session_id)
      where w.session_id is null or exists (select 1 from agent a where a.id = w.agent_id and a.session_id = w.session_id)
    ), picked as (
      select distinct on (p.id) p.id, w.agent_id, w.agent_name from wanted w cross join lateral (
        select * from (select t.id, t.position from task t
          where t.state = 'pending' and t.open and t.is_leaf and t.target_agent_id = w.agent_id and t.run_after <= boreas_now() ${within}
          order by t.position, t.id limit w.free for update of t skip locked) targeted
        union all
        select * from (select t.id, t.position from task t join agent_environment e on e.agent_id = w.agent_id and e.environment_id = t.environment_id
          where t.state = 'pending' and t.open and t.is_leaf and t.target_agent_id is null and t.run_after <= boreas_now() ${within}
          order by t.position, t.id limit w.free for update of t skip locked) shared
        limit w.free
      ) p order by p.id, w.agent_id
    ), claimed as (
      update task t set
        state = 'leased', agent_id = p.agent_id, last_agent_id = p.agent_id, fence = t.fence + 1, attempt = t.attempt + 1,
        lease_expires_at = boreas_now() + make_interval(secs => ${leaseSeconds}),
        state_since = boreas_now(), updated_at = boreas_now(), started_at = coalesce(t.started_at, boreas_now()),
        reason = jsonb_build_object('code', 'task.leased',
          'params', jsonb_build_object('agent', p.agent_name, 'attempt', t.attempt + 1),
          'text', format('Handed to %s, attempt %s.', p.agent_name, t.attempt + 1))
      from picked p where t.id = p.id and t.state = 'pending' and t.open
      returning t.id, t.deployment_id, t.project_id, t.parent_id, t.app_id, t.environment_id, t.name, t.agent_id, t.fence, t.attempt, t.payload, t.spec_sha256, t.reason,
        t.target_agent_id is null as is_shared, t.position
    ), begun as (
      update task t set state = 'running', state_since = boreas_now(), updated_at = boreas_now(),
        started_at = coalesce(t.started_at, boreas_now()), reason = jsonb_build_object('code', 'task.children_running',
          'params', jsonb_build_object('done', 0, 'count', n.parts), 'text', format('0 of %s parts done.', n.parts))
      from (select distinct parent_id from claimed) c, lateral (select count(*)::int as parts from task where parent_id = c.parent_id) n
      where t.id = c.parent_id and t.state in ('blocked', 'pending')
    ), noted as (
      insert into event (project_id, topic, subject_id, deployment_id, kind, data)
      select project_id, 'task', id, deployment_id, 'task.leased', jsonb_build_object('name', name, 'reason', reason) from claimed
    )
    select id, deployment_id, project_id, parent_id, app_id, environment_id, name, agent_id, fence, attempt, payload, spec_sha256, is_shared from claimed
    order by position, id`;
}
