import type { Fragment } from "../client.ts";
import type { Tx } from "../database.ts";

/** Of a task `t` that ends: what `recordAppState` needs of it besides its state. */
export const appStateColumns = (tx: Tx): Fragment =>
  tx`case when t.is_leaf then t.payload ->> 'action' end as action, coalesce(t.payload -> 'target' ->> 'name', '-') as target,
    (t.payload ->> 'versionId')::uuid as version_id, coalesce(t.result -> 'details', '{}') as details,
    t.environment_id, t.app_id, t.started_at as handed_out_at, coalesce(t.target_agent_id, t.last_agent_id) as by_agent_id, t.spec_sha256`;

/**
 * What now runs where, from leaves that have just succeeded: parts of the statement that ended them, whose rows it finds
 * under the name `ended`. What was observed before is forgotten: it was of another release. One place is written once,
 * also when several tasks of it ended together: the youngest counts.
 */
export const recordAppState = (tx: Tx): Fragment =>
  tx`
    now_there as (
      insert into app_state (environment_id, application_id, target, project_id, agent_id, version_id, spec_sha256, health, sync, details, updated_at, health_since, handed_out_at)
      select distinct on (environment_id, app_id, target) environment_id, app_id, target, project_id, by_agent_id, version_id,
        spec_sha256, 'healthy', 'synced', details, boreas_now(), boreas_now(), handed_out_at
      from ended where state = 'success' and action in ('deploy', 'switch') order by environment_id, app_id, target, id desc
      on conflict (environment_id, application_id, target) do update set agent_id = excluded.agent_id, version_id = excluded.version_id,
        spec_sha256 = excluded.spec_sha256, health = excluded.health, sync = excluded.sync, details = excluded.details, updated_at = excluded.updated_at,
        handed_out_at = excluded.handed_out_at,
        health_since = excluded.health_since, observed_at = null, observed_version = null, resources = '[]', differences = null, drift = '[]'
    )`;

/** Where an application runs. */
export interface AppPlace {
  environmentId: string;
  appId: string;
  target: string;
}

/**
 * What was removed runs nowhere. By its key, one at a time: joined to the tasks that ended, all places were read for it.
 * In the order in which everybody takes places.
 */
export async function forgetAppState(tx: Tx, places: readonly AppPlace[]): Promise<void> {
  const keyOf = (place: AppPlace) => `${place.environmentId}/${place.appId}/${place.target}`;
  const inOrder = [...places].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  await Promise.all(inOrder.map(({ environmentId, appId, target }) =>
    tx`
      delete from app_state where environment_id = ${environmentId} and application_id = ${appId} and target = ${target}`
  ));
}
