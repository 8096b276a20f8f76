import type { Followed, PushTrigger } from "../../domain/match_trigger.ts";
import type { Database } from "../database.ts";
import type { RepositoryRow } from "./repository_row.ts";

/** What a repository follows: as registered, and by the triggers of the Plan that its newest version was recorded with. */
export async function readFollowed(
  db: Database,
  repository: Pick<RepositoryRow, "id" | "branch" | "tagPattern">,
): Promise<Followed> {
  const [row] = await db.sql<{ triggers: PushTrigger[] | null }[]>`
    select plan -> 'triggers' as triggers from version where repository_id = ${repository.id} order by id desc limit 1`;
  return { branch: repository.branch, tagPattern: repository.tagPattern, triggers: row?.triggers ?? [] };
}
