import type { GatePlaceholders } from "../../domain/fill_gate.ts";
import type { MeasuredGate } from "../../domain/judge_gate.ts";
import { timingOf } from "../../domain/judge_gate.ts";
import type { Database } from "../database.ts";

export interface ClaimedGate {
  id: string;
  /** Only who measured under it may say what was seen. */
  fence: number;
  gate: MeasuredGate;
  values: GatePlaceholders;
  /** `config.prometheus.server` of the environment. */
  server: string | null;
}

/** Longer than a measurement may take; what was claimed by a master that ended is measured again then. */
const SLACK_SECONDS = 30;

/**
 * Takes gates whose next measurement is due, for this master alone: their time is moved on, and the fence grows. Waits
 * for nobody's lock, so it never stands in the way of what ends or cancels them.
 */
export async function claimGates(db: Database, most: number): Promise<ClaimedGate[]> {
  if (most <= 0) return [];
  return await db.sql<ClaimedGate[]>`
    with due as (
      select id from task where state = 'pending' and open and type = 'gate' and not is_leaf and ${isMeasured(db.sql)}
        and run_after <= boreas_now() order by run_after limit ${most} for update skip locked
    ), claimed as (
      update task t set fence = t.fence + 1, run_after = boreas_now() + make_interval(secs => ${LEASE_SECONDS}),
        started_at = coalesce(t.started_at, boreas_now())
      from due where t.id = due.id returning t.id, t.fence, t.payload, t.deployment_id, t.app_id
    )
    select c.id, c.fence, c.payload -> 'gate' as gate, e.config -> 'prometheus' ->> 'server' as server,
      jsonb_build_object('version', v.version, 'commit', coalesce(v.git_commit, ''), 'environment', e.name,
        'application', coalesce(a.name, c.payload ->> 'application', '')) as values
    from claimed c join deployment d on d.id = c.deployment_id join version v on v.id = d.version_id
    join environment e on e.id = d.environment_id left join application a on a.id = c.app_id`;
}

/** Not one that a person has passed over beforehand: the clock ends that. */
const isMeasured = (sql: Database["sql"]) => sql`payload ->> 'kind' in ('prometheus', 'http')`;

/** The longest that a gate may wait for an answer, and some more. */
const LEASE_SECONDS = timingOf({ http: "", timeout: "1h" }).timeoutSeconds + SLACK_SECONDS;

/** @returns seconds until the next gate is due; null when none waits */
export async function nextGateIn(db: Database): Promise<number | null> {
  const [row] = await db.sql<{ seconds: number | null }[]>`
    select extract(epoch from min(run_after) - boreas_now())::float8 as seconds from task
    where state = 'pending' and open and type = 'gate' and not is_leaf and ${isMeasured(db.sql)}`;
  return row!.seconds === null ? null : Math.max(0, row!.seconds);
}
