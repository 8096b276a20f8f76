import type { Database } from "../database.ts";

/** Names that are applications of the project, with the address of the repository they belong to; null for nobody's. */
export async function findOwners(
  db: Database,
  projectId: string,
  names: readonly string[],
): Promise<{ name: string; repositoryId: string | null; repository: string | null }[]> {
  return await db.sql<{ name: string; repositoryId: string | null; repository: string | null }[]>`
    select name, repository_id, repository from application
    where project_id = ${projectId} and name = any(${names as string[]}::text[]) and archived_at is null`;
}
