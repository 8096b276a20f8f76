import type { StatusDeliveryState } from "../../domain/commit_status.ts";
import { reason as say } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import type { ClaimedStatus } from "./claim_statuses.ts";

export interface StatusEnd {
  status: Exclude<StatusDeliveryState, "sending">;
  reason: Reason;
  /** Of `waiting`. */
  againInSeconds?: number;
}

/** What became of a try; what it should say has changed meanwhile: due at once. @returns false when it is somebody else's by now */
export async function finishStatus(
  db: Database,
  { id, claim, revision, context }: Pick<ClaimedStatus, "id" | "claim" | "revision" | "context">,
  { status, reason, againInSeconds = 0 }: StatusEnd,
): Promise<boolean> {
  return await inTransaction(db, async (tx) => {
    const rows = await tx<{ projectId: string; repositoryId: string; status: StatusDeliveryState }[]>`
      update commit_status set
        status = case when revision = ${revision} then ${status} else 'waiting' end,
        reason = case when revision = ${revision} then ${tx.json(reason as never)}::jsonb
          else ${tx.json(say("notification.waiting") as never)}::jsonb end,
        attempts = case when revision = ${revision} then attempts else 0 end,
        run_after = boreas_now() + case when revision = ${revision} then make_interval(secs => ${againInSeconds})
          else interval '0' end,
        sent_at = case when ${status === "sent"} then boreas_now() else sent_at end
      where id = ${id} and claim = ${claim} and status = 'sending'
      returning project_id, repository_id, status`;
    await recordEvents(
      tx,
      rows.map((row) => ({
        topic: "repository" as const,
        projectId: row.projectId,
        subjectId: row.repositoryId,
        kind: `status.${row.status}`,
        data: { name: context, reason },
      })),
    );
    return rows.length === 1;
  });
}
