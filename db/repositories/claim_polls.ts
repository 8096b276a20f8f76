import type { Database } from "../database.ts";
import { chooseWithin, hostOf, type Room } from "../host_of.ts";
import type { RepositoryRow } from "./repository_row.ts";

/**
 * Repositories whose turn it is. Moving the turn forward is the claim: of several masters one polls, and one that dies
 * in the middle costs a single turn. A turn is moved by at most what the repository asked for, so a crash heals by itself.
 * No host gets more than its share at once.
 */
export async function claimPolls(
  db: Database,
  room: Room,
): Promise<(RepositoryRow & { host: string })[]> {
  if (room.most <= 0) return [];
  const { sql } = db;
  return await sql<(RepositoryRow & { host: string })[]>`
    with waiting as (
      select id, next_poll_at as run_after, ${
    hostOf(sql, sql`url`)
  } as host from repository where next_poll_at <= boreas_now()
    ), ${chooseWithin(sql, room)}
    update repository set next_poll_at = case when poll_seconds > 0
      then boreas_now() + make_interval(secs => poll_seconds) end
    where id in (select id from repository where id in (select id from room) and next_poll_at <= boreas_now()
      for no key update skip locked)
    returning ${
    hostOf(sql, sql`url`)
  } as host, id, project_id, url, provider, branch, tag_pattern, config_paths, webhook_secret, credential, status_token,
      api_url, discovery, poll_seconds,
      last_synced_at, polled_at, reason`;
}

/** Seconds until the next repository's turn, other than of hosts that are busy; undefined when nothing is polled. */
export async function nextPollSeconds(db: Database, busy: readonly string[] = []): Promise<number | undefined> {
  const [row] = await db.sql<{ seconds: number | null }[]>`
    select greatest(0, extract(epoch from min(next_poll_at) - boreas_now()))::float8 as seconds from repository
    where ${hostOf(db.sql, db.sql`url`)} <> all(${[...busy]}::text[])`;
  return row?.seconds ?? undefined;
}
