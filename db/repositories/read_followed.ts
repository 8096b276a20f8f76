import type { Followed } from "../../domain/match_trigger.ts";
import type { Database } from "../database.ts";
import type { RepositoryRow } from "./repository_row.ts";

type Listening = Followed["triggers"];

/** What a repository follows: as registered, and by the triggers that listen to its pushes and tags. */
export async function readFollowed(
  db: Database,
  repository: Pick<RepositoryRow, "id" | "projectId" | "branch" | "tagPattern">,
): Promise<Followed> {
  const [row] = await db.sql<{ rows: Listening; planned: Listening | null }[]>`
    select coalesce((select jsonb_agg(t.rule || jsonb_build_object('on', t.kind)) from trigger t
        where t.enabled and t.kind in ('push', 'tag') and t.project_id = ${repository.projectId}
          and (t.repository_id = ${repository.id} or t.repository_id is null)), '[]') as rows,
      -- Of a repository whose Plan was read by a release that kept no rows: as its newest version has it.
      case when not exists (select from trigger_plan where repository_id = ${repository.id}) then
        (select plan -> 'triggers' from version where repository_id = ${repository.id} order by id desc limit 1) end as planned`;
  const triggers = [...row!.rows, ...(row!.planned ?? [])];
  return { branch: repository.branch, tagPattern: repository.tagPattern, triggers };
}
