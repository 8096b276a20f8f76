/**
 * Machines that were left out of a release and are there again (one that a person excluded: once somebody asks for it). Each gets it as a small deployment of its own, when it is
 * still the newest that succeeded there:
 *
 *   left out --machine back, deployment over--> deployment for that machine   | declined, with the reason
 *
 * First the deployment, then the note in the task's row (`missed` takes the place of `leftOut`): a crash in between makes
 * a second deployment, which finds the version running and does nothing.
 */
import { AppError } from "../../domain/app_error.ts";
import { isDeployable } from "../../domain/deployable.ts";
import type { VersionStanding } from "../../domain/deployable.ts";
import { ACTIVE_DEPLOYMENT_STATES, EDITABLE_DEPLOYMENT_STATES } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { reason } from "../../domain/reason.ts";
import { type Aside, noAside } from "../aside.ts";
import { systemActor } from "../database.ts";
import type { Database } from "../database.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import { findFrozenById } from "../freezes/find_frozen.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";

const AT_ONCE = 50;

/** In the order in which they are gone through. */
interface Place {
  of: string;
  machine: string;
}
interface Missed extends Place {
  ids: string[];
  applications: string[];
  projectId: string;
  environmentId: string;
  versionId: string;
  version: string;
  status: DeploymentState;
  /** A later deployment of one of these applications, which succeeded or decides for itself who is left out; or its removal. */
  isOutdated: boolean;
  versionStatus: VersionStanding["status"];
  builds: VersionStanding["builds"];
  /** It was left out of a removal: the applications go there too. */
  removes: boolean;
}

/** @returns how many deployments were made */
export async function catchUp(deps: DeploymentDeps, aside: Aside = noAside): Promise<number> {
  let made = 0;
  // All of them, part by part: many that wait for the end of a freeze must not keep others.
  for (let after: Place | undefined, isMore = true; isMore;) {
    const page = await findMissed(deps.db, after);
    for (const missed of page) if (await aside.attempt(missed.ids[0]!, () => catchUpOne(deps, missed))) made++;
    after = page.at(-1);
    isMore = page.length === AT_ONCE;
  }
  return made;
}

async function catchUpOne(deps: DeploymentDeps, missed: Missed): Promise<boolean> {
  if (await findFrozenById(deps.db.sql, missed.environmentId, missed.applications)) return false; // seen again afterwards
  const declined = missed.status !== "completed"
    ? `the deployment ended ${missed.status}`
    : !missed.removes && !isDeployable({ status: missed.versionStatus, builds: missed.builds })
    ? `${missed.version} was reverted`
    : missed.isOutdated
    ? "a later version was deployed meanwhile"
    : undefined;
  const outcome = declined === undefined ? await deploy(deps, missed) : { declined };
  await deps.db.sql`
    update task set payload = payload - 'leftOut' || jsonb_build_object('missed', payload -> 'leftOut') || ${
    deps.db.sql.json(outcome as never)
  }::jsonb, updated_at = boreas_now()
    where id = any(${missed.ids}::uuid[]) and payload ? 'leftOut'`;
  return "deploymentId" in outcome;
}

const NOT_ENDED = [...EDITABLE_DEPLOYMENT_STATES, ...ACTIVE_DEPLOYMENT_STATES];

/** While one of the applications is being deployed, it is too early to say: what to do is seen when that is over. */
async function findMissed(db: Database, after?: Place): Promise<Missed[]> {
  return await db.sql<Missed[]>`
    select array_agg(t.id order by t.id) as ids, d.id as "of", array_agg(distinct p.name) as applications, a.name as machine, d.project_id, d.environment_id,
      d.version_id, v.version, d.status, v.status as version_status, v.builds, d.removes,
      bool_or(exists (select from deployment n where n.environment_id = d.environment_id and n.id > d.id and p.name = any(n.applications)
        and n.status = 'completed' and (n.only_targets is null or a.name = any(n.only_targets)))
        or not d.removes and exists (select from application_environment b
          where b.application_id = t.app_id and b.environment_id = d.environment_id and b.removed_at is not null)) as is_outdated
    from task t join agent a on a.id = t.target_agent_id join deployment d on d.id = t.deployment_id
    join version v on v.id = d.version_id join application p on p.id = t.app_id
    where t.state = 'skipped' and t.payload ? 'leftOut' and (t.payload ->> 'leftOut' <> 'excluded' or t.payload ? 'catchUp') and d.retired_at is null and a.status = 'connected' and not a.cordoned
      and d.status <> all(${NOT_ENDED}::text[])
      and (${after?.of ?? null}::uuid is null or (d.id, a.name) > (${after?.of ?? null}::uuid, ${after?.machine ?? ""}))
    group by a.name, d.id, v.id
    having not bool_or(exists (select from deployment_lock l where l.application_id = t.app_id and l.environment_id = d.environment_id))
    order by d.id, a.name limit ${AT_ONCE}`;
}

async function deploy(
  deps: DeploymentDeps,
  missed: Missed,
): Promise<{ deploymentId: string } | { declined: string }> {
  const { machine, version, applications, removes } = missed;
  const said = { machine, version, applications: applications.join(", ") };
  const origin = reason(removes ? "deployment.removal_catching_up" : "deployment.catching_up", said);
  const actor = systemActor(`catching up of ${machine}`, missed.projectId);
  try {
    const deploymentId = await createDeployment(deps, {
      versionId: missed.versionId,
      environmentId: missed.environmentId,
      applications,
      autoStart: true,
      onlyTargets: [machine],
      origin,
      removes,
      // The version runs elsewhere and is not to blame for what goes wrong here.
      strategy: { type: "all", onFailure: removes ? { action: "stop" } : { action: "rollback", scope: "target" } },
    }, actor);
    return { deploymentId };
  } catch (error: unknown) {
    if (error instanceof AppError) return { declined: error.message };
    throw error;
  }
}
