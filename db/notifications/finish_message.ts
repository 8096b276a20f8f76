import type { DeliveryState } from "../../domain/notification.ts";
import type { Reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import type { ClaimedMessage } from "./claim_messages.ts";

export interface MessageEnd {
  status: Exclude<DeliveryState, "sending">;
  reason: Reason;
  /** Of `waiting`. */
  againInSeconds?: number;
}

/** What became of a try. @returns false when the message is somebody else's by now */
export async function finishMessage(
  db: Database,
  message: Pick<ClaimedMessage, "id" | "attempts">,
  { status, reason, againInSeconds = 0 }: MessageEnd,
): Promise<boolean> {
  return await inTransaction(db, async (tx) => {
    const rows = await tx<{ projectId: string; notificationId: string; event: string }[]>`
      update notification_delivery set status = ${status}, reason = ${tx.json(reason as never)},
        run_after = boreas_now() + make_interval(secs => ${againInSeconds}),
        completed_at = case when ${status !== "waiting"} then boreas_now() end
      where id = ${message.id} and attempts = ${message.attempts} and status = 'sending'
      returning project_id, notification_id, event`;
    await recordEvents(
      tx,
      rows.map((row) => ({
        topic: "notification" as const,
        projectId: row.projectId,
        subjectId: row.notificationId,
        kind: `notification.${status}`,
        data: { name: row.event, reason },
      })),
    );
    return rows.length === 1;
  });
}
