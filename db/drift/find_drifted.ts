/** What differs from its version and is not being deployed now: judged again, and named for whoever heals. */
import { type Difference, type DriftMode, nameDifferences } from "../../domain/drift.ts";
import { reason } from "../../domain/reason.ts";
import type { Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";

/** Of `app_state.healing`. */
export interface Healing {
  /** Milliseconds; of the last hour. */
  tries: number[];
  deploymentId: string | null;
  /** Why the last try could not even be made. */
  error?: string;
}
export interface Drifted {
  projectId: string;
  environmentId: string;
  applicationId: string;
  application: string;
  target: string;
  versionId: string;
  version: string;
  drift: Difference[];
  healing: Healing | null;
  /** The database's clock, in milliseconds. */
  now: number;
}

/**
 * @param settleSeconds an agent says what it sees a moment after its task has ended: until then its last word may be of
 * the time before
 */
const drifted = (tx: Tx, settleSeconds: number) =>
  tx`(select * from app_state where drift <> '[]' offset 0) s -- few: found first, by an index that has no others
    join application a on a.id = s.application_id
    join environment e on e.id = s.environment_id
    join version v on v.id = s.version_id
    left join frozen_document f on f.sha256 = s.spec_sha256
    left join agent g on g.id = s.agent_id
    where s.observed_at < boreas_now() - make_interval(secs => ${settleSeconds})
      and (g.id is null or g.status = 'connected')
      and not exists (select from deployment_lock l where l.environment_id = s.environment_id and l.application_id = s.application_id)
      and not exists (select from deployment d where d.environment_id = s.environment_id and a.name = any(d.applications)
        and d.completed_at > boreas_now() - make_interval(secs => ${settleSeconds}))`;

/** What was noted in the middle of a deployment and is still so. @returns how many are out of sync that were not */
export async function judgeAgain(db: Database, settleSeconds: number): Promise<number> {
  return await inTransaction(db, async (tx) => {
    const rows = await tx<(Omit<Drifted, "healing" | "now">)[]>`
      update app_state u set sync = 'out_of_sync', updated_at = boreas_now() from (
        select s.environment_id, s.application_id, s.target, a.name as application, v.version from ${
      drifted(tx, settleSeconds)
    } and s.sync <> 'out_of_sync'
      ) d where u.environment_id = d.environment_id and u.application_id = d.application_id and u.target = d.target
      returning u.project_id, u.environment_id, u.application_id, u.target, u.version_id, u.drift, d.application, d.version`;
    await recordEvents(
      tx,
      rows.map((row) => ({
        topic: "application" as const,
        projectId: row.projectId,
        subjectId: row.applicationId,
        kind: "application.out_of_sync",
        data: { name: row.application, environmentId: row.environmentId, target: row.target, reason: sayDrift(row) },
      })),
    );
    return rows.length;
  });
}

export const sayDrift = (row: Pick<Drifted, "application" | "target" | "version" | "drift">) =>
  reason("drift.found", {
    application: row.application,
    target: row.target,
    version: row.version,
    detail: nameDifferences(row.drift),
  });

/**
 * What may be healed: nobody deploys the application there or is about to, the version is wanted still, and the place
 * takes deployments.
 */
export async function findHealable(db: Database, settleSeconds: number): Promise<Drifted[]> {
  const heal: DriftMode = "heal";
  return await db.sql.begin((tx) =>
    tx<Drifted[]>`
      select s.project_id, s.environment_id, s.application_id, a.name as application, s.target, s.version_id, v.version, s.drift,
        s.healing, (extract(epoch from boreas_now()) * 1000)::float8 as now
      from ${drifted(tx, settleSeconds)} and f.content::jsonb -> 'drift' ->> 'mode' = ${heal} and v.status = 'normal'
        and e.status = 'active' and not coalesce(g.cordoned, false)
        and not exists (select from application_environment b where b.environment_id = s.environment_id
          and b.application_id = s.application_id and b.removed_at is not null)
        and not exists (select from deployment d where d.environment_id = s.environment_id and a.name = any(d.applications)
          and (d.id = (s.healing ->> 'deploymentId')::uuid or d.auto_start)
          and d.status in ('pending', 'awaiting_approval', 'running', 'paused', 'cancelling', 'rolling_back'))
      order by s.environment_id, s.application_id, s.target limit 500`
  );
}
