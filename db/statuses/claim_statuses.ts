import type { CommitSaying } from "../../domain/commit_status.ts";
import { reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";
import { whenAsked } from "../retry.ts";

/** A status in the hands of one sender. `claim` is its fence, `revision` says which word it has. */
export interface ClaimedStatus extends CommitSaying {
  id: string;
  repositoryId: string;
  commit: string;
  attempts: number;
  claim: number;
  revision: number;
}

/**
 * Takes statuses that are due, and those that somebody took and never spoke of again. The lease must outlast the longest
 * call: one whose sender died after the provider had taken it is told once more, and nothing changes there.
 */
export async function claimStatuses(db: Database, limit: number, leaseSeconds: number): Promise<ClaimedStatus[]> {
  return await whenAsked(() =>
    db.sql<ClaimedStatus[]>`
    with due as (
      select id from commit_status where status in ('waiting', 'sending') and run_after <= boreas_now()
      order by run_after, id limit ${limit} for update skip locked
    )
    update commit_status c set status = 'sending', attempts = c.attempts + 1, claim = c.claim + 1,
      run_after = boreas_now() + make_interval(secs => ${leaseSeconds}),
      reason = ${db.sql.json(reason("notification.sending") as never)}
    from due where c.id = due.id
    returning c.id, c.repository_id, c.commit, c.context, c.state, c.description, c.path, c.attempts, c.claim, c.revision`
  );
}

/** Seconds until the next one is due; undefined when none waits. */
export async function nextStatusIn(db: Database): Promise<number | undefined> {
  const [row] = await db.sql<{ seconds: number | null }[]>`
    select extract(epoch from min(run_after) - boreas_now())::float8 as seconds from commit_status
    where status in ('waiting', 'sending')`;
  return row?.seconds ?? undefined;
}
