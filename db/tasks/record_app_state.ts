import type { Tx } from "../database.ts";

/** Writes what now runs where, from leaves that have just succeeded. Called in the transaction that ended them. */
export async function recordAppState(tx: Tx, taskIds: readonly string[]): Promise<void> {
  if (taskIds.length === 0) return;
  await tx`
    insert into app_state (environment_id, application_id, target, project_id, agent_id, version_id, spec_sha256, health, sync, details, updated_at)
    select t.environment_id, t.app_id, coalesce(t.payload -> 'target' ->> 'name', '-'), t.project_id, t.target_agent_id,
      (t.payload ->> 'versionId')::uuid, t.spec_sha256, 'healthy', 'synced', coalesce(t.result -> 'details', '{}'), boreas_now()
    from task t where t.id = any(${taskIds}::uuid[]) and t.is_leaf and t.state = 'success' and t.payload ->> 'action' = 'deploy'
    on conflict (environment_id, application_id, target) do update set agent_id = excluded.agent_id, version_id = excluded.version_id,
      spec_sha256 = excluded.spec_sha256, health = excluded.health, sync = excluded.sync, details = excluded.details, updated_at = excluded.updated_at`;
  await tx`
    delete from app_state s using task t
    where t.id = any(${taskIds}::uuid[]) and t.is_leaf and t.state = 'success' and t.payload ->> 'action' = 'remove'
      and s.environment_id = t.environment_id and s.application_id = t.app_id and s.target = coalesce(t.payload -> 'target' ->> 'name', '-')`;
}
