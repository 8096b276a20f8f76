import type { Database } from "../database.ts";
import type { SecretSources } from "../../domain/secret_source.ts";
import { openSecret, type SealedSecret } from "./open_secret.ts";
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
export async function openSecrets(
  db: Database,
  vault: Vault,
  query: SecretQuery,
  sources?: SecretSources,
): Promise<Record<string, string>> {
  if (query.names.length === 0) return {};
  const rows = await db.sql<SealedSecret[]>`
    select distinct on (name) id, name, sealed, provider, reference from secret
    where project_id = ${query.projectId} and name = any(${[...query.names]}::text[])
      and (environment_id is null or environment_id = ${query.environmentId})
      and (application_id is null or application_id = ${query.applicationId})
    order by name, application_id is null, environment_id is null`;
  const values = await Promise.all(rows.map((row) => openSecret(vault, row, sources)));
  return Object.fromEntries(rows.map((row, i) => [row.name, values[i]!]));
}
