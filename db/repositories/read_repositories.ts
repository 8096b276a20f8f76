import type { Repository } from "../../protocol/http_api.ts";
import type { Database } from "../database.ts";
import type { RepositoryRow } from "./repository_row.ts";

/** As the API shows it: without anything sealed. Newest first, up to limit + 1. */
export async function listRepositories(
  db: Database,
  projectId: string,
  filter: { id?: string; limit: number; after?: string },
): Promise<Repository[]> {
  const { id = null, limit, after = null } = filter;
  return await db.sql<Repository[]>`
    select id, url, provider, branch, tag_pattern, config_paths, poll_seconds, credential is not null as has_credential,
      status_token is not null as has_status_token, api_url, discovery,
      '/webhook/' || provider || '/' || id as webhook_path, reason, last_synced_at, created_at, updated_at
    from repository
    where project_id = ${projectId} and (${id}::uuid is null or id = ${id}::uuid)
      and (${after}::uuid is null or id < ${after}::uuid)
    order by id desc limit ${limit + 1}`;
}

/** The one a hook names, whatever its project: the hook proves with its signature that it may speak for it. */
export async function findRepository(db: Database, id: string): Promise<RepositoryRow | undefined> {
  const [row] = await db.sql<RepositoryRow[]>`${rows(db)} where id = ${id}`;
  return row;
}

/** Of a project, or the one of them. */
export async function listRepositoryRows(
  db: Database,
  projectId: string,
  id: string | null = null,
): Promise<RepositoryRow[]> {
  return await db.sql<RepositoryRow[]>`${rows(db)}
    where project_id = ${projectId} and (${id}::uuid is null or id = ${id}::uuid) order by id`;
}

export async function findRepositoriesOf(db: Database, provider: string, limit: number): Promise<RepositoryRow[]> {
  return await db.sql<RepositoryRow[]>`${rows(db)} where provider = ${provider} order by id limit ${limit}`;
}

const rows = (db: Database) =>
  db.sql`select id, project_id, url, provider, branch, tag_pattern, config_paths, webhook_secret, credential,
    status_token, api_url, discovery, poll_seconds, last_synced_at, polled_at, reason from repository`;
