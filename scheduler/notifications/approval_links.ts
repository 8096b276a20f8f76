/** For a message that waits for one person's yes: a link by which exactly that person answers, once. */
import { makeApprovalLinks } from "../../db/approvals/make_links.ts";
import { systemActor } from "../../db/database.ts";
import type { Database } from "../../db/database.ts";
import { AppError } from "../../domain/app_error.ts";
import type { NotificationItem } from "../../domain/notification.ts";
import type { MessageLink } from "../../domain/notification_text.ts";
import type { SendDeps } from "./send_message.ts";

const GOOD_FOR_SECONDS = 24 * 3600;
const WORDS = { en: "Approve or reject", zh: "批准或驳回" };

/** None where that person may not answer, or there is nothing to answer any more: the message says what waits all the same. */
export function createApprovalLinks(
  deps: { db: Database; publicUrl: string; blobTicketKey: Uint8Array },
): NonNullable<SendDeps["approvalLinks"]> {
  return async (item, { projectId, userId, language }): Promise<MessageLink[]> => {
    const taskId = taskOf(item);
    if (taskId === undefined || !item.deploymentId) return [];
    try {
      const made = await makeApprovalLinks(
        { db: deps.db, publicUrl: deps.publicUrl, key: deps.blobTicketKey },
        { deploymentId: item.deploymentId, taskId, for: { userIds: [userId] } },
        GOOD_FOR_SECONDS,
        systemActor("notifications", projectId),
      );
      return made.map(({ url }) => ({ text: WORDS[language], url }));
    } catch (error: unknown) {
      if (error instanceof AppError) return [];
      throw error;
    }
  };
}

/** The step that asks; null for the deployment itself; undefined when nobody is asked. */
function taskOf({ event, subjectId }: NotificationItem): string | null | undefined {
  if (event === "approval.waiting") return subjectId;
  return event === "deployment.awaiting_approval" ? null : undefined;
}
