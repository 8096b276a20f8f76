/** One deployment per application and environment: who is in the way, and what becomes of whom. */
import { AppError } from "../../domain/app_error.ts";
import { stricter } from "../../domain/concurrency.ts";
import type { ConcurrencyInput } from "../../domain/concurrency.ts";
import { ACTIVE_DEPLOYMENT_STATES } from "../../domain/deployment_state.ts";
import { type Aside, noAside } from "../aside.ts";
import { systemActor } from "../database.ts";
import type { Tx } from "../database.ts";
import { cancelDeployment } from "./cancel_deployment.ts";
import type { DeploymentDeps, LoadedPlan } from "./load_plan.ts";
import type { LockedDeployment } from "./lock_deployment.ts";

export const concurrencyOf = ({ version, environment }: Pick<LoadedPlan, "version" | "environment">) =>
  stricter(version.plan.concurrency, environment.policy.concurrency);

/**
 * The primary key of the locks is the guard. In line with others it waits for its turn: one that came later does not pass
 * one that waits for the same applications, or an older version would follow a newer.
 * @returns who is in the way; null when the locks are held
 */
export async function takeLocks(tx: Tx, row: LockedDeployment, plan: LoadedPlan): Promise<string | null> {
  const [inLine] = await tx<{ id: string }[]>`
    select d.id from deployment d join version v on v.id = d.version_id
    where d.environment_id = ${row.environmentId} and d.id < ${row.id} and d.status = 'pending' and d.auto_start and (v.builds = 'ready' or d.removes)
      and d.applications && ${row.applications}::text[] and d.reason ->> 'code' = 'deployment.queued'
    order by d.id limit 1`;
  if (inLine) return inLine.id;
  const apps = plan.deployed.map((a) => a.id).sort();
  const taken = await tx<{ applicationId: string }[]>`
    insert into deployment_lock (application_id, environment_id, deployment_id)
    select a, ${plan.environment.id}, ${row.id} from unnest(${apps}::uuid[]) a order by a
    on conflict do nothing returning application_id`;
  if (taken.length === apps.length) return null;
  await tx`delete from deployment_lock where deployment_id = ${row.id}`;
  const [other] = await tx<{ deploymentId: string }[]>`
    select deployment_id from deployment_lock where environment_id = ${plan.environment.id} and application_id = any(${apps}::uuid[])
      and deployment_id <> ${row.id} limit 1`;
  return other?.deploymentId ?? "another";
}

/** @throws AppError `deployment.rejected_busy` when the policy is `reject` and another is under way, or about to be */
export async function rejectWhenBusy(tx: Tx, plan: LoadedPlan, self: string | null = null): Promise<void> {
  if (concurrencyOf(plan)?.policy !== "reject") return;
  const [other] = await tx<{ id: string; version: string; status: string; createdBy: string; common: string[] }[]>`
    select d.id, v.version, d.status, d.created_by, array(select unnest(d.applications) intersect select unnest(${
    plan.deployed.map((a) => a.name)
  }::text[])) as common
    from deployment d join version v on v.id = d.version_id
    where d.environment_id = ${plan.environment.id} and d.applications && ${plan.deployed.map((a) => a.name)}::text[]
      and d.id is distinct from ${self}::uuid
      and (d.status = any(${ACTIVE_DEPLOYMENT_STATES as unknown as string[]}::text[])
        or (${self}::uuid is null and d.status in ('pending', 'awaiting_approval') and d.auto_start))
    order by d.id limit 1`;
  if (!other) return;
  throw new AppError(
    "conflict",
    "deployment.rejected_busy",
    `${other.common.join(", ")} of ${plan.environment.name} is taken by deployment ${other.id} of ${other.version} (${
      other.status.replaceAll("_", " ")
    }, by ${other.createdBy}), and the concurrency policy is reject; wait for its end, or cancel it.`,
  );
}

/**
 * Where the policy is `supersede` with `running: cancel`, a newer version does not wait for the older one that runs: that
 * is cancelled, and the newer starts when its work has stopped. One that rolls back is waited for.
 * @returns how many were cancelled
 */
export async function cancelOutrun(deps: DeploymentDeps, aside: Aside = noAside): Promise<number> {
  const rows = await deps.db.sql<
    {
      id: string;
      projectId: string;
      newer: string;
      plan: { concurrency?: ConcurrencyInput };
      policy: { concurrency?: ConcurrencyInput };
    }[]
  >`
    select distinct on (o.id) o.id, o.project_id, n.version as newer, n.plan, e.policy
    from deployment d join version n on n.id = d.version_id join environment e on e.id = d.environment_id
    join deployment o on o.environment_id = d.environment_id and o.applications && d.applications and o.status in ('running', 'paused')
    join version v on v.id = o.version_id
    where d.status = 'pending' and d.auto_start and d.reason ->> 'code' = 'deployment.queued' and n.status = 'normal'
      and not d.removes and not o.removes
      and v.repository_id = n.repository_id and v.id <> n.id and v.created_at < n.created_at
      and (n.plan -> 'concurrency' ->> 'running' = 'cancel' or e.policy -> 'concurrency' ->> 'running' = 'cancel')
      and o.id <> all(${aside.ids()}::uuid[])
    order by o.id, d.id desc limit 50`;
  let cancelled = 0;
  for (const { id, projectId, newer, plan, policy } of rows) {
    const done = await aside.attempt(id, async () => {
      const concurrency = stricter(plan.concurrency, policy.concurrency);
      if (concurrency?.policy !== "supersede" || concurrency.running !== "cancel") return false;
      try {
        await cancelDeployment(deps, id, systemActor(`newer version ${newer}`, projectId));
        return true;
      } catch (error: unknown) {
        if (!(error instanceof AppError)) throw error;
        return false; // it has moved on meanwhile
      }
    });
    if (done) cancelled++;
  }
  return cancelled;
}
