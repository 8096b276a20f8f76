import { reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";

/** A run that is to be decided now. */
export interface DueRun {
  id: string;
  projectId: string;
  triggerId: string | null;
  trigger: string;
  event: "cron" | "deployment" | "api";
  versionId: string | null;
  causeDeploymentId: string | null;
  dryRun: boolean;
  wanted: string | null;
  actor: string;
  actorId: string | null;
}

/** Those of pushes are decided by the one who works on the delivery. */
export async function readDueRuns(db: Database, limit: number): Promise<DueRun[]> {
  return await db.sql<DueRun[]>`
    select id, project_id, trigger_id, trigger, event, version_id, cause_deployment_id, dry_run, wanted, actor, actor_id
    from trigger_run where outcome = 'waiting' and event in ('cron', 'deployment', 'api') and due_at <= boreas_now()
    order by due_at, id limit ${limit}`;
}

/** Seconds until the next tick or the end of the next soak; undefined when nothing is waited for. */
export async function nextDueSeconds(db: Database): Promise<number | undefined> {
  const [row] = await db.sql<{ seconds: number | null }[]>`
    select extract(epoch from least(
      (select min(next_due_at) from trigger where enabled and next_due_at is not null),
      (select min(due_at) from trigger_run where outcome = 'waiting')) - boreas_now())::float8 as seconds`;
  return row?.seconds === null ? undefined : Math.max(0, row!.seconds);
}

/** A delivery that was given up leaves runs behind that nobody will decide. */
export async function endAbandoned(db: Database): Promise<number> {
  const rows = await db.sql`
    update trigger_run r set outcome = 'not_fired', decided_at = boreas_now(), reason = ${
    db.sql.json(
      reason("trigger.not_fired", {
        detail: "The delivery was given up; deliver it again when it is mended.",
      }) as never,
    )
  }
    from delivery d where r.outcome = 'waiting' and d.id = r.delivery_id and d.status in ('processed', 'ignored', 'failed')
    returning r.id`;
  return rows.length;
}
