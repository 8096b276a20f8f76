import type { Database } from "../database.ts";

/** A repository's versions by commit. Those that run somewhere are always among them, whatever their age. */
export async function readCommits(db: Database, repositoryId: string): Promise<{ id: string; gitCommit: string }[]> {
  return await db.sql<{ id: string; gitCommit: string }[]>`
    (select id, git_commit from version where repository_id = ${repositoryId} and git_commit is not null
      order by id desc limit 2000)
    union select v.id, v.git_commit from version v join app_state s on s.version_id = v.id
    where v.repository_id = ${repositoryId} and v.git_commit is not null`;
}
