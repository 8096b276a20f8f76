import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";

/** What a waiting run came to. */
export interface RunEnd {
  fired: boolean;
  reason: Reason;
  versionId?: string | undefined;
}

/** @returns false when it was settled already */
export async function settleRun(
  { db, hints }: { db: Database; hints: Hints },
  id: string,
  end: RunEnd,
): Promise<boolean> {
  const settled = await db.sql.begin((tx) => settle(tx, id, end, null));
  if (settled) hints.announce("events");
  return settled;
}

/** In the transaction that makes the deployment: a run makes one, whoever else was about to. */
export const settleWith = (tx: Tx, id: string, end: RunEnd, deploymentId: string): Promise<boolean> =>
  settle(tx, id, end, deploymentId);

async function settle(tx: Tx, id: string, end: RunEnd, deploymentId: string | null): Promise<boolean> {
  const [row] = await tx<{ projectId: string; triggerId: string | null }[]>`
    update trigger_run set outcome = ${end.fired ? "fired" : "not_fired"}, reason = ${tx.json(end.reason as never)},
      version_id = coalesce(${end.versionId ?? null}::uuid, version_id), deployment_id = ${deploymentId},
      decided_at = boreas_now()
    where id = ${id} and outcome = 'waiting' returning project_id, trigger_id`;
  if (!row) return false;
  await recordEvents(tx, [{
    topic: "trigger",
    projectId: row.projectId,
    subjectId: row.triggerId,
    kind: end.fired ? "trigger.fired" : "trigger.not_fired",
    data: { reason: end.reason, runId: id, ...(deploymentId && { deploymentId }) },
  }]);
  return true;
}

/** To be looked at again in so many seconds. */
export async function postponeRun(db: Database, id: string, seconds: number, why: Reason): Promise<void> {
  await db.sql.begin(async (tx) => {
    const [before] = await tx<{ projectId: string; triggerId: string | null; text: string }[]>`
      select project_id, trigger_id, reason ->> 'text' as text from trigger_run
      where id = ${id} and outcome = 'waiting' for update`;
    if (!before) return;
    await tx`update trigger_run set due_at = boreas_now() + make_interval(secs => ${seconds}),
        reason = ${tx.json(why as never)} where id = ${id}`;
    if (before.text === why.text) return;
    await recordEvents(tx, [{
      topic: "trigger",
      projectId: before.projectId,
      subjectId: before.triggerId,
      kind: "trigger.waiting",
      data: { reason: why, runId: id },
    }]);
  });
}

/** Whatever this trigger still waits for comes to nothing. */
export async function endWaiting(tx: Tx, triggerId: string, detail: string): Promise<void> {
  await tx`
    update trigger_run set outcome = 'not_fired', decided_at = boreas_now(),
      reason = ${tx.json(reason("trigger.not_fired", { detail }) as never)}
    where trigger_id = ${triggerId} and outcome = 'waiting'`;
}
