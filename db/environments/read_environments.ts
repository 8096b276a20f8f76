import type { Database } from "../database.ts";

export interface EnvironmentRow {
  id: string;
  name: string;
  type: "k8s" | "pm" | "mock";
  region: string;
  config: Record<string, unknown>;
  policy: Record<string, unknown>;
  status: "active" | "inactive";
  createdAt: string;
  updatedAt: string;
}
export interface EnvironmentFilter {
  name?: string;
  type?: string;
  status?: string;
  limit: number;
  after?: string;
}

/** Newest first, up to limit + 1. */
export async function listEnvironments(
  db: Database,
  projectId: string,
  filter: EnvironmentFilter,
): Promise<EnvironmentRow[]> {
  const { name = null, type = null, status = null, limit, after = null } = filter;
  return await db.sql<EnvironmentRow[]>`
    select id, name, type, region, config, policy, status, created_at, updated_at from environment
    where project_id = ${projectId}
      and (${name}::text is null or name = ${name}::text)
      and (${type}::text is null or type = ${type}::text)
      and (${status}::text is null or status = ${status}::text)
      and (${after}::uuid is null or id < ${after}::uuid)
    order by id desc limit ${limit + 1}`;
}

export async function getEnvironment(
  db: Database,
  projectId: string,
  id: string,
): Promise<EnvironmentRow | undefined> {
  const [row] = await db.sql<EnvironmentRow[]>`
    select id, name, type, region, config, policy, status, created_at, updated_at from environment
    where project_id = ${projectId} and id = ${id}`;
  return row;
}
