import type { CommitStatus } from "../../protocol/http_api.ts";
import type { Database } from "../database.ts";

/** What a repository's provider was told of its commits, or is still to be told; newest first, up to limit + 1. */
export async function listStatuses(
  db: Database,
  projectId: string,
  filter: { repositoryId: string; id?: string; commit?: string; limit: number; after?: string },
): Promise<CommitStatus[]> {
  const { repositoryId, id = null, commit = null, limit, after = null } = filter;
  return await db.sql<CommitStatus[]>`
    select id, repository_id, commit, context, state, description, status, reason, attempts, created_at, changed_at, sent_at
    from commit_status
    where project_id = ${projectId} and repository_id = ${repositoryId} and (${id}::uuid is null or id = ${id}::uuid)
      and (${commit}::text is null or starts_with(commit, ${commit}::text)) and (${after}::uuid is null or id < ${after}::uuid)
    order by id desc limit ${limit + 1}`;
}
