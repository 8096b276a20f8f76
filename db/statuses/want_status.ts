import type { CommitSaying } from "../../domain/commit_status.ts";
import { reason } from "../../domain/reason.ts";
import type { Database, Tx } from "../database.ts";

/**
 * Says what a commit should show, where its repository has a token for that. The same again is no news; while an older
 * word is being sent, the row stays with its sender and is due when that has ended.
 */
export async function wantStatus(
  db: Pick<Database, "newId">,
  tx: Tx,
  repositoryId: string,
  commit: string,
  { context, state, description, path }: CommitSaying,
): Promise<void> {
  await tx`
    insert into commit_status as c (id, project_id, repository_id, commit, context, state, description, path, status, reason)
    select ${db.newId()}, r.project_id, r.id, ${commit}, ${context}, ${state}, ${description}, ${path}, 'waiting',
      ${tx.json(reason("notification.waiting") as never)}
    from repository r where r.id = ${repositoryId} and r.status_token is not null and r.provider <> 'generic'
    on conflict (repository_id, commit, context) do update set state = excluded.state, description = excluded.description,
      path = excluded.path, revision = c.revision + 1, changed_at = boreas_now(), attempts = 0,
      status = case when c.status = 'sending' then c.status else excluded.status end,
      reason = case when c.status = 'sending' then c.reason else excluded.reason end,
      run_after = case when c.status = 'sending' then c.run_after else boreas_now() end
    where (c.state, c.description, c.path) is distinct from (excluded.state, excluded.description, excluded.path)`;
}
