import type { Database } from "../database.ts";

export interface Owner {
  name: string;
  repositoryId: string | null;
  repository: string | null;
  isArchived: boolean;
}

/**
 * Names that are applications of the project, archived ones too, with the address of the repository they belong to; null
 * for nobody's.
 */
export async function findOwners(
  db: Database,
  projectId: string,
  names: readonly string[],
): Promise<Owner[]> {
  return await db.sql<Owner[]>`
    select name, repository_id, repository, archived_at is not null as is_archived from application
    where project_id = ${projectId} and name = any(${names as string[]}::text[]) order by name`;
}
