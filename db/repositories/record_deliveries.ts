import { reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";
import type { PullRequest } from "../../protocol/webhooks/webhook.ts";
import type { RepositoryRow } from "./repository_row.ts";

export interface NewDelivery {
  deliveryKey: string;
  event: string;
  ref: string | null;
  commit: string | null;
  /** A sentence; the delivery is then kept for people to see and never worked on. */
  ignoredBecause?: string;
  /** A pull request: its plan is told there. */
  pull?: PullRequest;
}
export interface RecordedDelivery {
  id: string;
  deliveryKey: string;
  status: "received" | "ignored" | "duplicate";
}

/** Durable when it returns: only then may a sender hear 2xx. The unique key makes a repeat a no-op. */
export async function recordDeliveries(
  { db, hints }: { db: Database; hints: Hints },
  repository: Pick<RepositoryRow, "id" | "projectId">,
  source: "webhook" | "poll" | "sync" | "redeliver",
  deliveries: readonly NewDelivery[],
): Promise<RecordedDelivery[]> {
  if (deliveries.length === 0) return [];
  const recorded = await db.sql.begin(async (tx) => {
    const rows = deliveries.map((d) => ({
      id: db.newId(),
      projectId: repository.projectId,
      repositoryId: repository.id,
      deliveryKey: d.deliveryKey,
      source,
      event: d.event,
      ref: d.ref,
      commit: d.commit,
      pull: d.pull === undefined ? null : tx.json(d.pull as never),
      status: d.ignoredBecause === undefined ? "received" : "ignored",
      reason: tx.json(
        (d.ignoredBecause === undefined
          ? reason("delivery.received")
          : reason("delivery.ignored", { detail: d.ignoredBecause })) as never,
      ),
    }));
    await tx`insert into delivery ${
      tx(
        rows,
        "id",
        "projectId",
        "repositoryId",
        "deliveryKey",
        "source",
        "event",
        "ref",
        "commit",
        "pull",
        "status",
        "reason",
      )
    } on conflict (repository_id, delivery_key) do nothing`;
    const stored = await tx<{ id: string; deliveryKey: string; status: string }[]>`
      select id, delivery_key, status from delivery
      where repository_id = ${repository.id} and delivery_key = any(${rows.map((r) => r.deliveryKey)}::text[])`;
    const mine = new Set(rows.map((row) => row.id));
    const result = stored.map((row): RecordedDelivery => ({
      id: row.id,
      deliveryKey: row.deliveryKey,
      status: !mine.has(row.id) ? "duplicate" : row.status === "ignored" ? "ignored" : "received",
    }));
    if (result.some((r) => r.status !== "duplicate")) {
      await recordEvents(tx, [{
        topic: "repository",
        projectId: repository.projectId,
        subjectId: repository.id,
        kind: "delivery.received",
        data: { source, deliveries: result.length },
      }]);
    }
    return result;
  });
  if (recorded.some((r) => r.status === "received")) hints.announce("deliveries");
  if (recorded.some((r) => r.status !== "duplicate")) hints.announce("events");
  return recorded;
}
