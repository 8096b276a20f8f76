/** What a person has sent: a test, or something once more. */
import { AppError } from "../../domain/app_error.ts";
import { type NotificationItem, TEST_EVENT } from "../../domain/notification.ts";
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import { type ChannelDeps, unknownChannel } from "./write_channel.ts";

/** A message that only says that it arrives; also where the channel is switched off. @returns its id */
export async function askTest({ db, hints }: ChannelDeps, notificationId: string, actor: Actor): Promise<string> {
  const id = db.newId();
  await db.sql.begin(async (tx) => {
    const [channel] = await tx<{ now: string }[]>`
      select boreas_now() as now from notification where id = ${notificationId} and project_id = ${actor.projectId} for share`;
    if (!channel) throw unknownChannel();
    const item: NotificationItem = {
      event: TEST_EVENT,
      at: channel.now,
      subjectId: null,
      name: actor.name,
      deploymentId: null,
      version: null,
      environments: [],
      applications: [],
      reason: reason("notification.test", { actor: actor.name }),
    };
    await tx`
      insert into notification_delivery (id, project_id, notification_id, event, items, status, reason)
      values (${id}, ${actor.projectId}, ${notificationId}, ${TEST_EVENT}, ${tx.json([item] as never)}, 'waiting',
        ${tx.json(reason("notification.waiting") as never)})`;
    await recordAudit(db, tx, actor, "notification.test", `notification:${notificationId}`);
  });
  hints.announce("events");
  return id;
}

/** The same message under the same id: a receiver that has it already knows it by that. */
export async function sendAgain(
  { db, hints }: ChannelDeps,
  notificationId: string,
  id: string,
  actor: Actor,
): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [row] = await tx<{ status: string }[]>`
      select status from notification_delivery
      where id = ${id} and notification_id = ${notificationId} and project_id = ${actor.projectId} for update`;
    if (!row) throw new AppError("not_found", "notification.unknown_delivery", "There is no such message.");
    if (row.status === "sending") {
      throw new AppError("conflict", "notification.sending", "It is being sent at this moment; look again shortly.");
    }
    await tx`
      update notification_delivery set status = 'waiting', attempts = 0, run_after = boreas_now(), completed_at = null,
        reason = ${tx.json(reason("notification.waiting") as never)} where id = ${id}`;
    await recordAudit(db, tx, actor, "notification.redeliver", `notification:${notificationId}`, { delivery: id });
  });
  hints.announce("events");
}
