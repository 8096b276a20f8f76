/** Whether something may start in an environment now: what its policy, a Plan and people have frozen, taken together. */
import { AppError } from "../../domain/app_error.ts";
import { whyNoCron } from "../../domain/cron.ts";
import { frozenAt, toFreeze } from "../../domain/freeze.ts";
import type { Freeze, FreezeInput, Frozen } from "../../domain/freeze.ts";
import type { Sql } from "../client.ts";
import type { Tx } from "../database.ts";

export interface FrozenPlace {
  environment: { id: string; name: string; policy: { freezes?: readonly FreezeInput[] } };
  /** Of the version's Plan; of all environments that it names. */
  planned?: readonly (FreezeInput & { environment: string })[];
  /** Only what concerns these; everything when absent. */
  applications?: readonly string[];
}

/** @returns undefined when something may start; `now` is the instant of the answer, in milliseconds */
export async function findFrozen(sql: Sql | Tx, place: FrozenPlace): Promise<(Frozen & { now: number }) | undefined> {
  const { now, freezes } = await readFreezes(sql, place);
  const frozen = frozenAt(freezes, now, place.applications);
  return frozen && { ...frozen, now };
}

/** The same, of a place that is known by its id only; what Plans freeze is known when something is to start. */
export async function findFrozenById(
  sql: Sql | Tx,
  environmentId: string,
  applications?: readonly string[],
): Promise<(Frozen & { now: number }) | undefined> {
  const [environment] = await sql<FrozenPlace["environment"][]>`
    select id, name, policy from environment where id = ${environmentId}`;
  return environment && await findFrozen(sql, { environment, ...(applications && { applications }) });
}

export async function readFreezes(
  sql: Sql | Tx,
  { environment, planned = [] }: FrozenPlace,
): Promise<{ now: number; freezes: Freeze[] }> {
  const rows = await sql<
    {
      now: number;
      from: number | null;
      until: number;
      applications: string[] | null;
      role: string | null;
      who: string;
      why: string;
    }[]
  >`
    select extract(epoch from boreas_now())::float8 * 1000 as now, extract(epoch from f.starts_at)::float8 * 1000 as from,
      extract(epoch from f.ends_at)::float8 * 1000 as until, f.applications, f.override_role as role, f.created_by as who, f.reason as why
    from (select 1) one left join "freeze" f on f.environment_id = ${environment.id} and f.ends_at > boreas_now() order by f.id`;
  const byHand = rows.flatMap(({ from, until, applications, role, who, why }): Freeze[] =>
    from === null ? [] : [{
      why: `${who}: ${why}`,
      time: { from, until },
      applications,
      override: role === null ? null : { role, reason: "required" },
    }]
  );
  const written = [
    ...(environment.policy.freezes ?? []).map((input) => open(input, `the policy of ${environment.name}`)),
    ...planned.filter((input) => input.environment === environment.name).map((input) => open(input, "the Plan")),
  ];
  return { now: rows[0]!.now, freezes: [...written, ...byHand] };
}

function open(input: FreezeInput, where: string): Freeze {
  const why = whyNoCron(input);
  if (why !== undefined) {
    // Passing over it would start what somebody meant to hold back.
    throw new AppError("conflict", "freeze.unreadable", `A freeze of ${where} cannot be read: ${why}. Mend it first.`);
  }
  return toFreeze(input, `${where} (${input.cron} for ${input.for}${input.tz ? `, ${input.tz}` : ""})`);
}
