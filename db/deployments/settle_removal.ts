/** What belongs to a removal besides its tasks: what it needs when it starts, and what is remembered when it is over. */
import type { Tx } from "../database.ts";
import type { LoadedPlan } from "./loaded_plan.ts";
import { isBackAs } from "./read_running_apps.ts";

/**
 * A script that takes an application away may want its secrets, so the spec that it runs by is sealed along; nothing else
 * needs one. Of machines that were revoked nothing more is known than that: what runs there is theirs, and its rows go.
 */
export async function prepareRemoval(tx: Tx, deploymentId: string, plan: LoadedPlan): Promise<void> {
  const [apps, environmentId] = [plan.deployed.map((app) => app.id), plan.environment.id];
  await tx`
    update task t set spec_sha256 = s.spec_sha256 from app_state s join frozen_document f on f.sha256 = s.spec_sha256
    where t.deployment_id = ${deploymentId} and t.is_leaf and s.environment_id = t.environment_id and s.application_id = t.app_id
      and s.target = coalesce(t.payload -> 'target' ->> 'name', '-') and f.content::jsonb -> 'runtime' ? 'remove'`;
  await tx`
    delete from app_state s using agent g, environment e where g.id = s.agent_id and g.status = 'revoked'
      and not exists (select from agent n where ${isBackAs(tx)})
      and e.id = s.environment_id and e.type = 'pm' and s.environment_id = ${environmentId} and s.application_id = any(${apps}::uuid[])`;
}

/**
 * What is removed is remembered: no push, poll, trigger or healing brings it back. That is all of which nothing runs there
 * any more; and when the removal came to its end, also what is left on machines that were away: there it goes later.
 */
export async function noteRemoved(tx: Tx, deploymentId: string, isWhole: boolean): Promise<void> {
  await tx`
    update application_environment b set removed_at = boreas_now() from deployment d join application a on a.name = any(d.applications)
    where d.id = ${deploymentId} and d.removes and a.project_id = d.project_id
      and b.application_id = a.id and b.environment_id = d.environment_id
      and (${isWhole} and d.only_targets is null or not exists (
        select from app_state s where s.environment_id = b.environment_id and s.application_id = b.application_id))`;
}

/**
 * What a person has removed since this deployment was made, by a push, a trigger or another that is no person: it stays
 * removed. Whoever names it has their way.
 */
export async function findRemovedSince(tx: Tx, deploymentId: string): Promise<string[]> {
  const rows = await tx<{ name: string }[]>`
    select a.name from deployment d join application a on a.project_id = d.project_id and a.name = any(d.applications)
    join application_environment b on b.application_id = a.id and b.environment_id = d.environment_id
    where d.id = ${deploymentId} and d.author_id is null and not d.removes and b.removed_at > d.created_at order by a.name`;
  return rows.map((row) => row.name);
}
