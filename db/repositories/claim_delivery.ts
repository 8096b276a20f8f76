import { reason } from "../../domain/reason.ts";
import type { PullRequest } from "../../protocol/webhooks/webhook.ts";
import type { Database } from "../database.ts";
import { hostOf } from "../host_of.ts";

/** A delivery in work. `attempts` is its fence: whoever claims it next has a higher one. */
export interface ClaimedDelivery {
  id: string;
  projectId: string;
  repositoryId: string;
  source: string;
  event: string;
  ref: string;
  commit: string | null;
  attempts: number;
  pull?: PullRequest | null;
  /** Set when an earlier attempt recorded a version and got no further. */
  versionId: string | null;
  /** Where its repository is. */
  host: string;
}

/** So many may take a repository just before us; then the sweep tries again. */
const TRIES = 10;

/**
 * Takes the oldest delivery that is due, of a repository in which no other is in work: versions are compared with the
 * ones before them, so one repository is worked on in order.
 * @param busy hosts of repositories that are to be left alone just now
 */
export async function claimDelivery(
  db: Database,
  leaseSeconds: number,
  busy: readonly string[] = [],
): Promise<ClaimedDelivery | undefined> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const claim = await tryClaim(db, leaseSeconds, busy);
    if (claim !== "raced") return claim;
  }
  return undefined;
}

/**
 * Two statements on purpose: the repository's row is locked first, and the second statement, with a snapshot taken under
 * that lock, sees a claim that another worker committed meanwhile. Waits for that lock instead of skipping it: it is
 * also taken, shortly, by those who only note something on the repository, and to skip then would leave work lying.
 */
async function tryClaim(
  db: Database,
  leaseSeconds: number,
  busy: readonly string[],
): Promise<ClaimedDelivery | undefined | "raced"> {
  return await db.sql.begin(async (tx) => {
    const [repository] = await tx<{ id: string; host: string }[]>`
      select r.id, ${hostOf(tx, tx`r.url`)} as host from repository r
      where exists (select 1 from delivery d where d.repository_id = r.id and d.status in ('received', 'processing')
          and d.run_after <= boreas_now())
        and not exists (select 1 from delivery d where d.repository_id = r.id and d.status = 'processing'
          and d.run_after > boreas_now())
        and ${hostOf(tx, tx`r.url`)} <> all(${[...busy]}::text[])
      order by (select min(d.id::text) from delivery d where d.repository_id = r.id
        and d.status in ('received', 'processing') and d.run_after <= boreas_now())
      limit 1 for no key update of r`;
    if (!repository) return undefined;
    const [claimed] = await tx<ClaimedDelivery[]>`
      update delivery set status = 'processing', attempts = attempts + 1,
        run_after = boreas_now() + make_interval(secs => ${leaseSeconds})
      where id = (select d.id from delivery d where d.repository_id = ${repository.id}
          and d.status in ('received', 'processing') and d.run_after <= boreas_now() order by d.id limit 1)
        and not exists (select 1 from delivery d where d.repository_id = ${repository.id} and d.status = 'processing'
          and d.run_after > boreas_now())
      returning id, project_id, repository_id, source, event, ref, commit, pull, attempts, version_id`;
    if (!claimed) return "raced";
    await tx`update delivery set reason = ${
      tx.json(reason("delivery.processing", { attempt: claimed.attempts }) as never)
    } where id = ${claimed.id}`;
    return { ...claimed, host: repository.host };
  });
}

/** @returns false when the delivery is somebody else's by now */
export async function renewDelivery(
  db: Database,
  claim: Pick<ClaimedDelivery, "id" | "attempts">,
  leaseSeconds: number,
): Promise<boolean> {
  const rows = await db.sql`
    update delivery set run_after = boreas_now() + make_interval(secs => ${leaseSeconds})
    where id = ${claim.id} and status = 'processing' and attempts = ${claim.attempts} returning id`;
  return rows.length === 1;
}
