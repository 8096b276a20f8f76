/** What is frozen in each environment now and next: windows of its policy and of the Plans deployed there, and by hand. */
import { nextWindow } from "../../domain/freeze.ts";
import { toFreeze } from "../../domain/freeze.ts";
import { whyNoCron } from "../../domain/cron.ts";
import type { Freeze, FreezeInput } from "../../domain/freeze.ts";
import type { Database } from "../database.ts";

export interface ListedFreeze {
  /** Of one by hand, which can be ended; null of a window that is written somewhere. */
  id: string | null;
  source: "person" | "policy" | "plan";
  environmentId: string;
  environment: string;
  applications: string[] | null;
  cron: string | null;
  tz: string | null;
  for: string | null;
  isActive: boolean;
  /** Of the window of now, else of the next. */
  from: string | null;
  until: string | null;
  reason: string;
  overrideRole: string | null;
  createdBy: string | null;
}
interface Place {
  id: string;
  name: string;
  now: number;
  freezes: FreezeInput[] | null;
  planned: (FreezeInput & { environment: string })[] | null;
}

/** Plans of the latest deployments are looked at: the Plan of a repository that is deployed no more freezes nothing. */
const LATEST = 20;

export async function listFreezes(db: Database, projectId: string, environmentId?: string): Promise<ListedFreeze[]> {
  const { sql } = db;
  const places = await sql<Place[]>`
    select e.id, e.name, extract(epoch from boreas_now())::float8 * 1000 as now, e.policy -> 'freezes' as freezes, (
      select jsonb_agg(distinct w.one) from (
        select distinct on (v.repository) v.repository, v.plan -> 'freeze' as freezes from (
          select version_id, id from deployment where environment_id = e.id order by id desc limit ${LATEST}
        ) d join version v on v.id = d.version_id order by v.repository, d.id desc
      ) p, lateral jsonb_array_elements(case jsonb_typeof(p.freezes) when 'array' then p.freezes else '[]' end) as w(one)
      where w.one ->> 'environment' = e.name
    ) as planned
    from environment e where e.project_id = ${projectId} ${environmentId ? sql`and e.id = ${environmentId}` : sql``}
    order by e.name`;
  const byHand = await sql<ListedFreeze[]>`
    select f.id, 'person' as source, f.environment_id, e.name as environment, f.applications, null as cron, null as tz, null as for,
      true as is_active, f.starts_at as from, f.ends_at as until, f.reason, f.override_role, f.created_by
    from "freeze" f join environment e on e.id = f.environment_id
    where f.project_id = ${projectId} and f.ends_at > boreas_now() ${
    environmentId ? sql`and f.environment_id = ${environmentId}` : sql``
  } order by f.id desc`;
  const written = places.flatMap((place) => [
    ...(place.freezes ?? []).map((input) => show(place, input, "policy")),
    ...(place.planned ?? []).map((input) => show(place, input, "plan")),
  ]);
  return [...byHand, ...written];
}

function show(place: Place, input: FreezeInput, source: "policy" | "plan"): ListedFreeze {
  const problem = whyNoCron(input);
  const freeze: Freeze = toFreeze(input, "");
  const window = problem === undefined ? nextWindow(freeze, place.now) : undefined;
  return {
    id: null,
    source,
    environmentId: place.id,
    environment: place.name,
    applications: freeze.applications === null ? null : [...freeze.applications],
    cron: input.cron,
    tz: input.tz ?? "UTC",
    for: input.for,
    isActive: window !== undefined && window.from <= place.now,
    from: window ? new Date(window.from).toISOString() : null,
    until: window ? new Date(window.until).toISOString() : null,
    reason: problem ?? (source === "policy" ? `The policy of ${place.name}.` : "The Plan."),
    overrideRole: freeze.override?.role ?? null,
    createdBy: null,
  };
}
