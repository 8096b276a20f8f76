import type { Database } from "../database.ts";

export interface ApplicationRow {
  id: string;
  name: string;
  description: string;
  repository: string | null;
  repositoryId: string | null;
  type: "microservice" | "monolith";
  config: Record<string, unknown>;
  environments: { id: string; name: string }[];
  proposal: "proposed" | "dismissed" | null;
  archivedAt: string | null;
  running: number;
  createdAt: string;
  updatedAt: string;
}
export interface ApplicationFilter {
  name?: string;
  environmentId?: string;
  repositoryId?: string;
  state?: "active" | "proposed" | "dismissed" | "archived";
  limit: number;
  after?: string;
}

/** Newest first, up to limit + 1. */
export async function listApplications(
  db: Database,
  projectId: string,
  filter: ApplicationFilter,
): Promise<ApplicationRow[]> {
  const { name = null, environmentId = null, repositoryId = null, state = "active", limit, after = null } = filter;
  return await db.sql<ApplicationRow[]>`${columns(db)}
    where a.project_id = ${projectId}
      and case when a.archived_at is not null then 'archived' else coalesce(a.proposal, 'active') end = ${state}
      and (${name}::text is null or a.name = ${name}::text)
      and (${repositoryId}::uuid is null or a.repository_id = ${repositoryId}::uuid)
      and (${environmentId}::uuid is null or exists (
        select 1 from application_environment x
        where x.application_id = a.id and x.environment_id = ${environmentId}::uuid))
      and (${after}::uuid is null or a.id < ${after}::uuid)
    order by a.id desc limit ${limit + 1}`;
}

export async function getApplication(
  db: Database,
  projectId: string,
  id: string,
): Promise<ApplicationRow | undefined> {
  const [row] = await db.sql<ApplicationRow[]>`${columns(db)}
    where a.project_id = ${projectId} and a.id = ${id}`;
  return row;
}

const columns = (db: Database) =>
  db.sql`
    select a.id, a.name, a.description, a.repository, a.repository_id, a.type, a.config, a.created_at, a.updated_at,
      a.proposal, a.archived_at, (select count(*)::int from app_state s where s.application_id = a.id) as running,
      coalesce((
        select jsonb_agg(jsonb_build_object('id', e.id, 'name', e.name) order by e.name)
        from application_environment b join environment e on e.id = b.environment_id
        where b.application_id = a.id
      ), '[]'::jsonb) as environments
    from application a`;
