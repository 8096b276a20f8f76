import type { Fragment } from "../client.ts";
import type { Tx } from "../database.ts";

/**
 * What now runs where, from leaves that have just succeeded: parts of the statement that ended them, whose rows it finds
 * under the name `ended`.
 */
export const recordAppState = (tx: Tx): Fragment =>
  tx`
    succeeded as (
      select *, coalesce(payload -> 'target' ->> 'name', '-') as target, payload ->> 'action' as action
      from ended where is_leaf and state = 'success'
    ), now_there as (
      insert into app_state (environment_id, application_id, target, project_id, agent_id, version_id, spec_sha256, health, sync, details, updated_at)
      select environment_id, app_id, target, project_id, target_agent_id, (payload ->> 'versionId')::uuid, spec_sha256,
        'healthy', 'synced', coalesce(result -> 'details', '{}'), boreas_now()
      from succeeded where action = 'deploy'
      on conflict (environment_id, application_id, target) do update set agent_id = excluded.agent_id, version_id = excluded.version_id,
        spec_sha256 = excluded.spec_sha256, health = excluded.health, sync = excluded.sync, details = excluded.details, updated_at = excluded.updated_at
    ), now_gone as (
      delete from app_state s using succeeded t
      where t.action = 'remove' and s.environment_id = t.environment_id and s.application_id = t.app_id and s.target = t.target
    )`;
