import type { Carriers } from "../../protocol/http_api.ts";
import type { Database } from "../database.ts";

const MOST = 200;

/** Where these versions run, and what deployed them. */
export async function readCarriers(
  db: Database,
  projectId: string,
  versionIds: readonly string[],
): Promise<Omit<Carriers, "commits">> {
  const ids = versionIds as string[];
  const [versions, running, deployments] = await Promise.all([
    db.sql<Carriers["versions"]>`
      select id, version, git_commit from version where project_id = ${projectId} and id = any(${ids}::uuid[])
      order by id desc limit ${MOST}`,
    db.sql<Carriers["running"]>`
      select s.application_id, a.name as application, s.environment_id, e.name as environment, s.target, s.version_id,
        v.version, s.health
      from app_state s join application a on a.id = s.application_id join environment e on e.id = s.environment_id
      join version v on v.id = s.version_id
      where s.project_id = ${projectId} and s.version_id = any(${ids}::uuid[])
      order by e.name, a.name, s.target`,
    db.sql<Carriers["deployments"]>`
      select d.id, d.version_id, v.version, d.environment_id, e.name as environment, d.status, d.created_at, d.completed_at
      from deployment d join version v on v.id = d.version_id join environment e on e.id = d.environment_id
      where d.project_id = ${projectId} and d.version_id = any(${ids}::uuid[]) and not d.removes order by d.id desc limit ${MOST}`,
  ]);
  return { versions: [...versions], running: [...running], deployments: [...deployments] };
}
