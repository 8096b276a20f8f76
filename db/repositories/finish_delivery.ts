import type { CommitSaying } from "../../domain/commit_status.ts";
import type { Reason } from "../../domain/reason.ts";
import type { ConfigProblem } from "../../protocol/config_file.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";
import { wantStatus } from "../statuses/want_status.ts";
import type { ClaimedDelivery } from "./claim_delivery.ts";

/** How work on a delivery ended. */
export type DeliveryEnd =
  | {
    status: "processed" | "ignored" | "failed";
    reason: Reason;
    problems?: ConfigProblem[];
    versionId?: string;
    /** What the provider should show beside the commit now. */
    says?: { commit: string; saying: CommitSaying };
  }
  /** To be tried again. */
  | { status: "received"; reason: Reason; retrySeconds: number };

/** @returns false when the delivery is somebody else's by now; nothing was written then */
export async function finishDelivery(
  { db, hints }: { db: Database; hints: Hints },
  claim: ClaimedDelivery,
  end: DeliveryEnd,
): Promise<boolean> {
  const isRetry = end.status === "received";
  const done = await db.sql.begin(async (tx) => {
    const rows = await tx`
      update delivery set status = ${end.status}, reason = ${tx.json(end.reason as never)},
        problems = ${tx.json((isRetry ? [] : end.problems ?? []) as never)},
        version_id = coalesce(${isRetry ? null : end.versionId ?? null}::uuid, version_id),
        run_after = boreas_now() + make_interval(secs => ${isRetry ? end.retrySeconds : 0}),
        processed_at = case when ${isRetry} then null else boreas_now() end
      where id = ${claim.id} and status = 'processing' and attempts = ${claim.attempts} returning id`;
    if (rows.length === 0) return false;
    if (!isRetry && end.says) await wantStatus(db, tx, claim.repositoryId, end.says.commit, end.says.saying);
    await recordEvents(tx, [{
      topic: "repository",
      projectId: claim.projectId,
      subjectId: claim.repositoryId,
      kind: isRetry ? "delivery.retrying" : `delivery.${end.status}`,
      data: { name: claim.ref, reason: end.reason, deliveryId: claim.id },
    }]);
    return true;
  });
  if (done) hints.announce("events");
  return done;
}
