import type { Database } from "../database.ts";
import type { RepositoryRow } from "./repository_row.ts";

/**
 * Repositories whose turn it is. Moving the turn forward is the claim: of several masters one polls, and one that dies
 * in the middle costs a single turn. A turn is moved by at most what the repository asked for, so a crash heals by itself.
 */
export async function claimPolls(db: Database, limit: number): Promise<RepositoryRow[]> {
  return await db.sql<RepositoryRow[]>`
    update repository set next_poll_at = case when poll_seconds > 0
      then boreas_now() + make_interval(secs => poll_seconds) end
    where id in (select id from repository where next_poll_at <= boreas_now()
      order by next_poll_at for no key update skip locked limit ${limit})
    returning id, project_id, url, provider, branch, tag_pattern, config_paths, webhook_secret, credential, status_token,
      api_url, discovery, poll_seconds,
      last_synced_at, polled_at, reason`;
}

/** Seconds until the next repository's turn; undefined when nothing is polled. */
export async function nextPollSeconds(db: Database): Promise<number | undefined> {
  const [row] = await db.sql<{ seconds: number | null }[]>`
    select greatest(0, extract(epoch from min(next_poll_at) - boreas_now()))::float8 as seconds from repository`;
  return row?.seconds ?? undefined;
}
