/** What stands in each environment, for deciding whether a new version may go there and with what. */
import type { ConcurrencyInput } from "../../domain/concurrency.ts";
import type { Database } from "../database.ts";

export interface PlaceForVersion {
  id: string;
  name: string;
  status: "active" | "inactive";
  /** Applications of the version that are bound here by name, and were not removed from here; those that nobody bound anywhere may go everywhere. */
  bound: string[];
  free: string[];
  /** What the environment's policy asks for; null when it leaves that to the Plan. */
  concurrency: ConcurrencyInput | null;
}

/** Environments, with which of a version's applications may go there. */
export async function readPlaces(db: Database, projectId: string, versionId: string): Promise<PlaceForVersion[]> {
  return await db.sql<PlaceForVersion[]>`
    select e.id, e.name, e.status, e.policy -> 'concurrency' as concurrency,
      coalesce((select array_agg(a.name order by a.name) from version_app va
        join application a on a.id = va.application_id
        join application_environment b on b.application_id = a.id and b.environment_id = e.id and b.removed_at is null
        where va.version_id = ${versionId} and a.proposal is null and a.archived_at is null), '{}') as bound,
      coalesce((select array_agg(a.name order by a.name) from version_app va
        join application a on a.id = va.application_id
        where va.version_id = ${versionId} and a.proposal is null and a.archived_at is null
          and not exists (select 1 from application_environment b where b.application_id = a.id)), '{}') as free
    from environment e where e.project_id = ${projectId} order by e.name`;
}

export interface Standing {
  application: string;
  versionId: string;
  version: string;
  commit: string | null;
  repositoryId: string | null;
  /** `runs`: an agent says so; `coming`: a deployment that runs or will start by itself; `planned`: one that waits for a person. */
  how: "runs" | "coming" | "planned";
}

/** Which versions of these applications an environment has, or is about to have. */
export async function readStanding(
  db: Database,
  environmentId: string,
  applications: readonly string[],
): Promise<Standing[]> {
  return await db.sql<Standing[]>`
    select a.name as application, v.id as version_id, v.version, v.git_commit as commit, v.repository_id, 'runs' as how
    from app_state s join application a on a.id = s.application_id join version v on v.id = s.version_id
    where s.environment_id = ${environmentId} and a.name = any(${applications as string[]}::text[])
    union
    select x.name, v.id, v.version, v.git_commit, v.repository_id,
      case when d.auto_start or d.status in ('running', 'paused') then 'coming' else 'planned' end
    from deployment d join version v on v.id = d.version_id cross join unnest(d.applications) as x(name)
    where d.environment_id = ${environmentId} and d.status in ('pending', 'awaiting_approval', 'running', 'paused') and not d.removes
      and x.name = any(${applications as string[]}::text[])`;
}

export async function hasDeployment(db: Database, versionId: string, environmentId: string): Promise<boolean> {
  const rows = await db.sql`
    select 1 from deployment where version_id = ${versionId} and environment_id = ${environmentId} and not removes limit 1`;
  return rows.length > 0;
}

/** A deployment of this version there; those that are under way alone, when `open`. */
export async function findDeployment(
  db: Database,
  versionId: string,
  environmentId: string,
  { open }: { open: boolean },
): Promise<{ id: string; status: string } | undefined> {
  const [row] = await db.sql<{ id: string; status: string }[]>`
    select id, status from deployment where version_id = ${versionId} and environment_id = ${environmentId} and not removes
      and (not ${open}::boolean or status in ('pending', 'awaiting_approval', 'running', 'paused', 'rolling_back', 'cancelling'))
    order by id desc limit 1`;
  return row;
}
