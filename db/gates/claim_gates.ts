import type { GatePlaceholders } from "../../domain/fill_gate.ts";
import type { MeasuredGate } from "../../domain/judge_gate.ts";
import { timingOf } from "../../domain/judge_gate.ts";
import type { Sql } from "../client.ts";
import type { Database } from "../database.ts";
import { chooseWithin, hostOf, type Room } from "../host_of.ts";

export interface ClaimedGate {
  id: string;
  /** Only who measured under it may say what was seen. */
  fence: number;
  gate: MeasuredGate;
  values: GatePlaceholders;
  /** `config.prometheus.server` of the environment. */
  server: string | null;
  /** Whom it asks. */
  host: string;
}

/** Longer than a measurement may take; what was claimed by a master that ended is measured again then. */
const SLACK_SECONDS = 30;

/**
 * Takes gates whose next measurement is due, for this master alone: their time is moved on, and the fence grows. Waits
 * for nobody's lock, so it never stands in the way of what ends or cancels them. No host gets more than its share.
 */
export async function claimGates(db: Database, room: Room): Promise<ClaimedGate[]> {
  if (room.most <= 0) return [];
  const { sql } = db;
  return await sql<ClaimedGate[]>`
    with waiting as (
      select t.id, t.run_after, ${hostOf(sql, asked(sql))} as host ${waitingGates(sql)} and t.run_after <= boreas_now()
    ), ${chooseWithin(sql, room)}, due as (
      select t.id, r.host from task t join room r on r.id = t.id
      where t.state = 'pending' and t.open and t.run_after <= boreas_now() for update of t skip locked
    ), claimed as (
      update task t set fence = t.fence + 1, run_after = boreas_now() + make_interval(secs => ${LEASE_SECONDS}),
        started_at = coalesce(t.started_at, boreas_now())
      from due where t.id = due.id returning t.id, t.fence, t.payload, t.deployment_id, t.app_id, due.host
    )
    select c.id, c.fence, c.host, c.payload -> 'gate' as gate, e.config -> 'prometheus' ->> 'server' as server,
      jsonb_build_object('version', v.version, 'commit', coalesce(v.git_commit, ''), 'environment', e.name,
        'application', coalesce(a.name, c.payload ->> 'application', '')) as values
    from claimed c join deployment d on d.id = c.deployment_id join version v on v.id = d.version_id
    join environment e on e.id = d.environment_id left join application a on a.id = c.app_id`;
}

/** Not one that a person has passed over beforehand: the clock ends that. */
const waitingGates = (sql: Sql) =>
  sql`from task t join environment e on e.id = t.environment_id
    where t.state = 'pending' and t.open and t.type = 'gate' and not t.is_leaf and t.payload ->> 'kind' in ('prometheus', 'http')`;
/** The address as the file has it; what a placeholder stands for in it is not asked here. */
const asked = (sql: Sql) =>
  sql`coalesce(t.payload -> 'gate' ->> 'http', t.payload -> 'gate' ->> 'server', e.config -> 'prometheus' ->> 'server', '')`;

/** The longest that a gate may wait for an answer, and some more. */
const LEASE_SECONDS = timingOf({ http: "", timeout: "1h" }).timeoutSeconds + SLACK_SECONDS;

/** @returns seconds until the next gate is due, other than of hosts that are busy; null when none waits */
export async function nextGateIn(db: Database, busy: readonly string[] = []): Promise<number | null> {
  const { sql } = db;
  const [row] = await sql<{ seconds: number | null }[]>`
    select extract(epoch from min(t.run_after) - boreas_now())::float8 as seconds ${waitingGates(sql)}
      and ${hostOf(sql, asked(sql))} <> all(${[...busy]}::text[])`;
  return row!.seconds === null ? null : Math.max(0, row!.seconds);
}
