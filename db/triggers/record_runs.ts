import { reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";
import { inTransaction } from "../retry.ts";

/** What each trigger says to one delivery; those without a `why` are about to make a deployment. */
export interface Look {
  triggerId: string;
  name: string;
  environment: string;
  why?: string | undefined;
}

/**
 * Once per trigger and delivery, however often the delivery is worked on.
 * @returns trigger id -> the run that still waits for its end
 */
export async function recordRuns(
  { db, hints }: { db: Database; hints: Hints },
  of: { projectId: string; deliveryId: string; versionId: string; event: "push" | "tag" },
  looks: readonly Look[],
): Promise<Map<string, string>> {
  if (looks.length === 0) return new Map();
  const waiting = await inTransaction(db, async (tx) => {
    const rows = looks.map(({ triggerId, name, environment, why }) => ({
      id: db.newId(),
      triggerId,
      trigger: name,
      environment,
      outcome: why === undefined ? "waiting" : "not_fired",
      reason: why === undefined ? reason("trigger.deciding") : reason("trigger.not_fired", { detail: sentence(why) }),
    }));
    const made = await tx<{ id: string; triggerId: string; outcome: string; reason: unknown }[]>`
      insert into trigger_run (id, project_id, trigger_id, trigger, environment, event, outcome, reason, delivery_id, version_id, actor, decided_at)
      select r.id, ${of.projectId}, t.id, r.trigger, r.environment, ${of.event}, r.outcome, r.reason, ${of.deliveryId},
        ${of.versionId}, ${`${of.event} trigger`}, case when r.outcome <> 'waiting' then boreas_now() end
      from jsonb_to_recordset(${tx.json(rows as never)})
        as r(id uuid, "triggerId" uuid, trigger text, environment text, outcome text, reason jsonb)
        join trigger t on t.id = r."triggerId"
      on conflict do nothing returning id, trigger_id, outcome, reason`;
    await recordEvents(
      tx,
      made.filter((run) => run.outcome === "not_fired").map((run) => ({
        topic: "trigger",
        projectId: of.projectId,
        subjectId: run.triggerId,
        kind: "trigger.not_fired",
        data: { reason: run.reason, runId: run.id },
      })),
    );
    return await tx<{ id: string; triggerId: string }[]>`
      select id, trigger_id from trigger_run where delivery_id = ${of.deliveryId} and outcome = 'waiting'`;
  });
  hints.announce("events");
  return new Map(waiting.map((run) => [run.triggerId, run.id]));
}

const OWN_WORDS = /^(a|branch|commit|it|no|none|nothing|tag|the|there|version)\b/;
/** `branch dev does not match main` -> a sentence. A name at its beginning stays as it is written. */
export const sentence = (why: string): string => {
  const text = OWN_WORDS.test(why) ? why[0]!.toUpperCase() + why.slice(1) : why;
  return `${text.replace(/\.$/, "")}.`;
};
