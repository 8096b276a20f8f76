/**
 * Writes what an agent saw: health, resources, differences, and whether that is what was deployed. Only rows that differ
 * are written, whatever an agent repeats.
 *
 *   row of a deployment + observation -> health | resources | sync      health or sync moved -> an event
 *   row of a deployment, not among what the agent sees any more -> missing
 *
 * While a deployment of the application is under way there, what differs is noted and not judged: an agent switches
 * before its result is here. Who heals judges again afterwards (`find_drifted.ts`).
 *
 * Results of tasks write the same rows, and are more urgent: so rows are read without a lock, written only where they are
 * still what was judged, and held from the reading on only when somebody was in between again and again.
 */
import { isDeepStrictEqual } from "node:util";
import { type DriftMode, judgeDrift, nameDifferences, type Sync } from "../../domain/drift.ts";
import { reason } from "../../domain/reason.ts";
import type { Difference, Health, Observed, Present, Resource } from "../../protocol/observed.ts";
import type { Fragment, Sql } from "../client.ts";
import type { Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction, whenAsked } from "../retry.ts";

/** An agent, as its session knows it. */
export interface Observer {
  agentId: string;
  projectId: string;
}
export interface Report {
  observed: readonly Observed[];
  /** All that the agent sees, whether or not it is among `observed`; undefined when it does not say. */
  present?: readonly Present[];
}
/** A place whose health or sync is another one now. */
export interface ObservedChange {
  environmentId: string;
  applicationId: string;
  application: string;
  target: string;
  versionId: string | null;
  health: { before: Health; now: Health };
  sync: { before: Sync; now: Sync };
}
interface StateRow {
  environmentId: string;
  applicationId: string;
  application: string;
  target: string;
  versionId: string | null;
  version: string | null;
  health: Health;
  sync: Sync;
  observedVersion: string | null;
  resources: Resource[];
  differences: Difference[] | null;
  drift: Difference[];
  details: Record<string, unknown>;
  policy: { mode: DriftMode; ignore: string[] } | null;
  isDeploying: boolean;
  /** Another one after every write. */
  revision: string;
}
interface Judged {
  row: StateRow;
  now: Now;
}
const FREE_TRIES = 3;

/** @returns what changed, and how many observations were of nothing that was deployed to this agent */
export async function recordObserved(
  db: Database,
  observer: Observer,
  report: Report,
): Promise<{ changes: ObservedChange[]; ignored: number }> {
  for (let attempt = 0; attempt < FREE_TRIES; attempt++) {
    const { written, ignored } = judgeAll(await whenAsked(() => readRows(db.sql, observer, report)), report);
    if (written.length === 0) return { changes: [], ignored };
    const changes = await writeUnlessChanged(db, observer, written);
    if (changes) return { changes, ignored };
  }
  return await inTransaction(db, async (tx) => {
    const { written, ignored } = judgeAll(await readRows(tx, observer, report, tx`for update of s`), report);
    await writeRows(tx, written);
    return { changes: await noteChanges(tx, observer, written), ignored };
  });
}

function judgeAll(rows: readonly StateRow[], report: Report): { written: Judged[]; ignored: number } {
  const seen = new Map(report.observed.map((one) => [keyOf(one), one])); // of one place the last word counts
  // An agent that plays several targets tells each by its name; a machine is one, by whatever name it calls itself.
  const seenThere = new Map(report.observed.map((one) => [`${keyOf(one)}/${one.target}`, one]));
  const places = Map.groupBy(rows, keyOf);
  const present = report.present && new Set([...report.present, ...report.observed].map(keyOf));
  const known = new Set(rows.map(keyOf));
  const written = rows.flatMap((row) => {
    const only = places.get(keyOf(row))!.length === 1 ? seen.get(keyOf(row)) : undefined;
    const one = seenThere.get(`${keyOf(row)}/${row.target}`) ?? only ??
      (present && !present.has(keyOf(row)) ? gone(row) : undefined);
    if (!one) return [];
    const now = judge(row, one);
    return isSame(row, now) ? [] : [{ row, now }];
  });
  return { written, ignored: [...seen.keys()].filter((key) => !known.has(key)).length };
}

/** @returns undefined when a row was written by somebody else meanwhile: then nothing was */
async function writeUnlessChanged(
  db: Database,
  observer: Observer,
  written: readonly Judged[],
): Promise<ObservedChange[] | undefined> {
  const changed = new Error("somebody wrote a row in between");
  try {
    return await inTransaction(db, async (tx) => {
      if (await writeRows(tx, written) < written.length) throw changed;
      return await noteChanges(tx, observer, written);
    });
  } catch (error: unknown) {
    if (error === changed) return undefined;
    throw error;
  }
}

async function noteChanges(tx: Tx, { projectId }: Observer, written: readonly Judged[]): Promise<ObservedChange[]> {
  const changes = written.filter(({ row, now }) => row.health !== now.health || row.sync !== now.sync);
  await recordEvents(
    tx,
    changes.map(({ row, now }) => ({
      topic: "application" as const,
      projectId,
      subjectId: row.applicationId,
      kind: row.sync !== now.sync && (row.sync === "out_of_sync" || now.sync === "out_of_sync")
        ? `application.${now.sync}`
        : `application.${now.health}`,
      data: { name: row.application, environmentId: row.environmentId, target: row.target, reason: say(row, now) },
    })),
  );
  return changes.map(({ row, now }) => ({
    ...placeOf(row),
    application: row.application,
    versionId: row.versionId,
    health: { before: row.health, now: now.health },
    sync: { before: row.sync, now: now.sync },
  }));
}

/** Rows of what was deployed to this agent in environments it is bound to: those it observed, and those it sees no more. */
async function readRows(
  sql: Sql | Tx,
  { agentId, projectId }: Observer,
  { observed, present }: Report,
  held: Fragment = sql``,
): Promise<StateRow[]> {
  const isAmong = (places: readonly Present[]) =>
    sql`(s.environment_id::text, a.name) in (
      select * from unnest(${places.map((p) => p.environmentId)}::text[], ${
      places.map((p) => p.application)
    }::text[]))`;
  // A choice, not a join: the rows of one machine are few, and plans that join the lists compared each with each.
  const wanted = sql`case when ${isAmong(observed)} then true else ${
    present ? sql`not ${isAmong(present)}` : sql`false`
  } end`;
  return await sql<StateRow[]>`
    select s.environment_id, s.application_id, a.name as application, s.target, s.version_id, v.version, s.health, s.sync,
      s.observed_version, s.resources, s.differences, s.drift, s.details, s.xmin::text as revision,
      case when position('"drift"' in f.content) > 0 then f.content::jsonb -> 'drift' end as policy, -- few have one
      exists (select from deployment_lock l where l.application_id = s.application_id and l.environment_id = s.environment_id) as is_deploying
    from app_state s
    join application a on a.id = s.application_id
    join agent_environment e on e.environment_id = s.environment_id and e.agent_id = s.agent_id
    left join version v on v.id = s.version_id
    left join frozen_document f on f.sha256 = s.spec_sha256
    where s.agent_id = ${agentId} and s.project_id = ${projectId} and ${wanted}
    order by s.environment_id, s.application_id, s.target ${held}`;
}

type Now = Pick<
  StateRow,
  "health" | "sync" | "observedVersion" | "resources" | "differences" | "drift" | "details"
>;

function judge(
  row: StateRow,
  seen: Pick<Observed, "version" | "health" | "resources" | "differences" | "details">,
): Now {
  const { mode, ignore } = row.policy ?? { mode: "report" as const, ignore: [] };
  const { sync, drift } = judgeDrift({ version: row.version, mode, ignore }, seen);
  return {
    health: seen.health,
    sync: row.isDeploying && sync === "out_of_sync" ? row.sync : sync,
    observedVersion: seen.version,
    resources: seen.resources,
    differences: seen.differences,
    drift,
    details: seen.details,
  };
}

const gone = (row: StateRow) => ({
  version: null,
  health: "missing" as const,
  resources: [],
  differences: null,
  details: row.details,
});

/** In the order in which results of tasks take them. @returns how many were still what was judged */
async function writeRows(tx: Tx, written: readonly Judged[]): Promise<number> {
  if (written.length === 0) return 0;
  const rows = written.map(({ row, now }) => ({ ...now, ...placeOf(row), revision: row.revision }));
  const { count } = await tx`
    update app_state s set health = r.health, sync = r.sync, observed_version = r."observedVersion", resources = r.resources,
      differences = nullif(r.differences, 'null'), drift = r.drift, details = r.details, observed_at = boreas_now(),
      updated_at = boreas_now(), health_since = case when s.health = r.health then s.health_since else boreas_now() end
    from (
      select r.* from jsonb_to_recordset(${tx.json(rows as never)}) as r("environmentId" uuid, "applicationId" uuid,
        target text, revision text, health text, sync text, "observedVersion" text, resources jsonb, differences jsonb, drift jsonb, details jsonb)
      join app_state a on a.environment_id = r."environmentId" and a.application_id = r."applicationId" and a.target = r.target
      where a.xmin::text = r.revision order by a.environment_id, a.application_id, a.target for no key update of a
    ) r where s.environment_id = r."environmentId" and s.application_id = r."applicationId" and s.target = r.target`;
  return count;
}

function say(row: StateRow, now: Now) {
  const where = { application: row.application, target: row.target };
  if (row.sync !== now.sync && now.sync === "out_of_sync") {
    return reason("drift.found", { ...where, version: row.version ?? "?", detail: nameDifferences(now.drift) });
  }
  if (row.sync === "out_of_sync" && now.sync === "synced") {
    return reason("drift.gone", { ...where, version: row.version ?? "?" });
  }
  return reason("application.health", { ...where, health: now.health });
}

const keyOf = (one: { environmentId: string; application: string }) => `${one.environmentId}/${one.application}`;
const placeOf = ({ environmentId, applicationId, target }: StateRow) => ({ environmentId, applicationId, target });
const COMPARED = ["health", "sync", "observedVersion", "resources", "differences", "drift", "details"] as const;
/** Both come out of JSON, where the order of keys says nothing. */
const isSame = (row: StateRow, now: Now) => COMPARED.every((key) => isDeepStrictEqual(row[key], now[key]));
