/**
 * Deployments that ended are shown to the triggers that wait for their environment: a completed one begins to wait for
 * the end of its soak, any other one says at once why nothing follows. Once per trigger and deployment.
 */
import { MAX_DAYS } from "../../domain/judge_soak.ts";
import { reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";

/** @returns how many runs were made */
export async function noteEnds(db: Database): Promise<number> {
  return await inTransaction(db, async (tx) => {
    const ends = await tx<
      {
        triggerId: string;
        projectId: string;
        name: string;
        environment: string;
        of: string;
        deploymentId: string;
        versionId: string;
        version: string;
        status: string;
      }[]
    >`
      select t.id as trigger_id, t.project_id, t.name, t.environment, e.name as "of", d.id as deployment_id, d.version_id,
        v.version, d.status
      from trigger t join environment e on e.project_id = t.project_id and e.name = t.rule ->> 'of'
        join deployment d on d.environment_id = e.id join version v on v.id = d.version_id
      where t.enabled and t.kind = 'deployment' and d.started_at is not null
        and d.status in ('completed', 'failed', 'cancelled', 'rolled_back', 'rollback_failed')
        and d.completed_at >= t.since and d.completed_at > boreas_now() - make_interval(days => ${MAX_DAYS})
        and d.only_targets is null and not d.reapply and not d.removes
        and (t.repository_id is null or v.repository_id = t.repository_id)
        and not exists (select from trigger_run r where r.trigger_id = t.id and r.cause_deployment_id = d.id)
      order by d.id limit 200`;
    if (ends.length === 0) return 0;
    const rows = ends.map((end) => {
      const isGood = end.status === "completed";
      const detail = `The deployment of ${end.version} to ${end.of} ended as ${end.status.replaceAll("_", " ")}.`;
      return {
        ...end,
        id: db.newId(),
        outcome: isGood ? "waiting" : "not_fired",
        reason: isGood ? reason("trigger.deciding") : reason("trigger.not_fired", { detail }),
      };
    });
    const made = await tx<{ id: string; triggerId: string; projectId: string; outcome: string; reason: unknown }[]>`
      insert into trigger_run (id, project_id, trigger_id, trigger, environment, event, outcome, reason, version_id,
        cause_deployment_id, due_at, actor, decided_at)
      select r.id, r."projectId", r."triggerId", r.name, r.environment, 'deployment', r.outcome, r.reason, r."versionId",
        r."deploymentId", boreas_now(), 'deployment trigger', case when r.outcome <> 'waiting' then boreas_now() end
      from jsonb_to_recordset(${tx.json(rows as never)}) as r(id uuid, "projectId" uuid, "triggerId" uuid, name text,
        environment text, outcome text, reason jsonb, "versionId" uuid, "deploymentId" uuid)
      on conflict do nothing returning id, trigger_id, project_id, outcome, reason`;
    await recordEvents(
      tx,
      made.map((run) => ({
        topic: "trigger",
        projectId: run.projectId,
        subjectId: run.triggerId,
        kind: run.outcome === "waiting" ? "trigger.due" : "trigger.not_fired",
        data: { reason: run.reason, runId: run.id },
      })),
    );
    return made.length;
  });
}
