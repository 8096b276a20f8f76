import type { Reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

/** Writes down how the last look at the remote went; an event only when that changed. */
export async function noteRepository(
  { db, hints }: { db: Database; hints: Hints },
  repository: { id: string; projectId: string },
  outcome: { reason: Reason; synced: boolean; polled?: boolean },
): Promise<void> {
  const changed = await db.sql.begin(async (tx) => {
    const [before] = await tx<{ reason: Reason; first: boolean }[]>`
      select reason, last_synced_at is null as first from repository where id = ${repository.id} for no key update`;
    if (!before) return false;
    await tx`update repository set reason = ${tx.json(outcome.reason as never)},
        last_synced_at = case when ${outcome.synced} then boreas_now() else last_synced_at end,
        polled_at = case when ${outcome.polled ?? false} then boreas_now() else polled_at end
      where id = ${repository.id}`;
    if (before.reason.text === outcome.reason.text && !before.first) return false;
    await recordEvents(tx, [{
      topic: "repository",
      projectId: repository.projectId,
      subjectId: repository.id,
      kind: outcome.synced ? "repository.synced" : "repository.failed",
      data: { name: outcome.reason.code, reason: outcome.reason },
    }]);
    return true;
  });
  if (changed) hints.announce("events");
}
