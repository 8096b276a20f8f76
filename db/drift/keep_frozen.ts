/** Of deployments that apply anew what runs: they send exactly what was frozen then, and nothing once it is outdated. */
import { type Reason, reason } from "../../domain/reason.ts";
import type { Tx } from "../database.ts";

/** @returns why not to start it: another version has been deployed since it was made, or the application was removed */
export async function findOutdated(tx: Tx, deploymentId: string): Promise<Reason | undefined> {
  const [row] = await tx<{ now: string | null }[]>`
    select v.version as now from deployment d
    join task t on t.deployment_id = d.id and t.is_leaf and t.payload ->> 'action' in ('deploy', 'prepare')
    left join app_state s on s.environment_id = t.environment_id and s.application_id = t.app_id
      and s.target = coalesce(t.payload -> 'target' ->> 'name', '-')
    left join version v on v.id = s.version_id
    where d.id = ${deploymentId} and d.reapply and s.version_id is distinct from d.version_id limit 1`;
  if (!row) return undefined;
  return row.now === null ? reason("drift.removed") : reason("drift.outdated", { version: row.now });
}

/** After its plan was frozen: what ran before is what will run. */
export async function keepFrozen(tx: Tx, deploymentId: string): Promise<void> {
  await tx`
    update task t set payload = t.payload || '{"reapply": true}', spec_sha256 = coalesce(s.spec_sha256, t.spec_sha256)
    from deployment d, app_state s
    where d.id = ${deploymentId} and d.reapply and t.deployment_id = d.id and t.is_leaf and t.payload ->> 'action' in ('deploy', 'prepare', 'switch', 'finish')
      and s.environment_id = t.environment_id and s.application_id = t.app_id
      and s.target = coalesce(t.payload -> 'target' ->> 'name', '-')`;
}
