import type { Database } from "../database.ts";
import { secretPlace } from "./put_secret.ts";
import type { Vault } from "./vault.ts";

export interface SecretQuery {
  projectId: string;
  environmentId: string;
  applicationId: string;
  names: readonly string[];
}

/**
 * The values an application gets in an environment. Of several with one name the most specific counts: application and
 * environment, then application, then environment, then the project's. A name without a value is absent.
 */
export async function openSecrets(db: Database, vault: Vault, query: SecretQuery): Promise<Record<string, string>> {
  if (query.names.length === 0) return {};
  const rows = await db.sql<{ id: string; name: string; sealed: Uint8Array }[]>`
    select distinct on (name) id, name, sealed from secret
    where project_id = ${query.projectId} and name = any(${[...query.names]}::text[])
      and (environment_id is null or environment_id = ${query.environmentId})
      and (application_id is null or application_id = ${query.applicationId})
    order by name, application_id is null, environment_id is null`;
  const values = await Promise.all(rows.map((row) => vault.open(secretPlace(row.id), row.sealed)));
  return Object.fromEntries(rows.map((row, i) => [row.name, values[i]!]));
}
