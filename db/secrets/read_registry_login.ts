import type { Database } from "../database.ts";
import type { SecretSources } from "../../domain/secret_source.ts";
import { openSecret, type SealedSecret } from "./open_secret.ts";
import type { Vault } from "./vault.ts";

/**
 * The login for asking a registry about an application's image. No environment asks, so the project's own value or the
 * application's comes first, and one that only an environment has will do: they lead to the same registry.
 */
export async function readRegistryLogin(
  { sql }: Pick<Database, "sql">,
  vault: Vault,
  { projectId, applicationId, name }: { projectId: string; applicationId: string; name: string },
  sources?: SecretSources,
): Promise<string | undefined> {
  const [row] = await sql<SealedSecret[]>`
    select id, name, sealed, provider, reference from secret
    where project_id = ${projectId} and name = ${name}
      and (application_id is null or application_id = ${applicationId})
    order by environment_id is not null, application_id is null, id limit 1`;
  return row && await openSecret(vault, row, sources);
}
