import type { SecretProvider } from "../../domain/secret_source.ts";
import type { Database } from "../database.ts";
import type { SecretScope } from "./put_secret.ts";

export interface SecretRow extends SecretScope {
  id: string;
  provider: SecretProvider;
  reference: string | null;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  rotatedAt: string | null;
  rotatedBy: string | null;
}

/** Names and scopes, never values. Newest first, up to limit + 1. */
export async function listSecrets(
  db: Database,
  projectId: string,
  filter: { environmentId?: string; applicationId?: string; limit: number; after?: string },
): Promise<SecretRow[]> {
  const { environmentId = null, applicationId = null, limit, after = null } = filter;
  return await db.sql<SecretRow[]>`
    select id, name, environment_id, application_id, provider, reference, created_by, created_at, updated_at, rotated_at,
      rotated_by from secret
    where project_id = ${projectId}
      and (${environmentId}::uuid is null or environment_id = ${environmentId}::uuid)
      and (${applicationId}::uuid is null or application_id = ${applicationId}::uuid)
      and (${after}::uuid is null or id < ${after}::uuid)
    order by id desc limit ${limit + 1}`;
}

export async function getSecret(db: Database, projectId: string, id: string): Promise<SecretRow | undefined> {
  const [row] = await db.sql<SecretRow[]>`
    select id, name, environment_id, application_id, provider, reference, created_by, created_at, updated_at, rotated_at,
      rotated_by from secret
    where project_id = ${projectId} and id = ${id}`;
  return row;
}
