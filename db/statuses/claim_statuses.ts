import type { CommitSaying } from "../../domain/commit_status.ts";
import { reason } from "../../domain/reason.ts";
import type { Sql } from "../client.ts";
import type { Database } from "../database.ts";
import { chooseWithin, hostOf, type Room } from "../host_of.ts";
import { whenAsked } from "../retry.ts";

/** A status in the hands of one sender. `claim` is its fence, `revision` says which word it has. */
export interface ClaimedStatus extends CommitSaying {
  id: string;
  repositoryId: string;
  commit: string;
  attempts: number;
  claim: number;
  revision: number;
  /** Where it is told. */
  host: string;
}

/**
 * Takes statuses that are due, and those that somebody took and never spoke of again. The lease must outlast the longest
 * call: one whose sender died after the provider had taken it is told once more, and nothing changes there. No provider
 * gets more than its share of them at once.
 */
export async function claimStatuses(db: Database, room: Room, leaseSeconds: number): Promise<ClaimedStatus[]> {
  if (room.most <= 0) return [];
  const { sql } = db;
  return await whenAsked(() =>
    sql<ClaimedStatus[]>`
    with waiting as (
      select c.id, c.run_after, ${provider(sql)} as host ${openStatuses(sql)} and c.run_after <= boreas_now()
    ), ${chooseWithin(sql, room)}, due as (
      select c.id, room.host from commit_status c join room on room.id = c.id
      where c.status in ('waiting', 'sending') and c.run_after <= boreas_now() for update of c skip locked
    )
    update commit_status c set status = 'sending', attempts = c.attempts + 1, claim = c.claim + 1,
      run_after = boreas_now() + make_interval(secs => ${leaseSeconds}),
      reason = ${sql.json(reason("notification.sending") as never)}
    from due where c.id = due.id
    returning c.id, c.repository_id, c.commit, c.context, c.state, c.description, c.path, c.attempts, c.claim, c.revision, due.host`
  );
}

const openStatuses = (sql: Sql) =>
  sql`from commit_status c join repository r on r.id = c.repository_id where c.status in ('waiting', 'sending')`;
const provider = (sql: Sql) => hostOf(sql, sql`coalesce(r.api_url, r.url)`);

/** Seconds until the next one is due, other than of providers that are busy; undefined when none waits. */
export async function nextStatusIn(db: Database, busy: readonly string[] = []): Promise<number | undefined> {
  const { sql } = db;
  const [row] = await sql<{ seconds: number | null }[]>`
    select extract(epoch from min(c.run_after) - boreas_now())::float8 as seconds ${openStatuses(sql)}
      and ${provider(sql)} <> all(${[...busy]}::text[])`;
  return row?.seconds ?? undefined;
}
