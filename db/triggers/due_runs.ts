import { reason } from "../../domain/reason.ts";
import type { Sql } from "../client.ts";
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
const dueRuns = (sql: Sql) =>
  sql`from trigger_run r left join trigger t on t.id = r.trigger_id
    where r.outcome = 'waiting' and r.event in ('cron', 'deployment', 'api') and r.due_at <= boreas_now()`;

/** What runs are decided about one after the other: their repository, whose commits may have to be fetched first. */
const lineOf = (sql: Sql) => sql`coalesce(t.repository_id, r.trigger_id, r.id)`;

/** Lines with something to decide, other than these; the one that waits longest first. */
export async function readDueLines(db: Database, limit: number, except: readonly string[]): Promise<string[]> {
  const rows = await db.sql<{ line: string }[]>`
    select ${lineOf(db.sql)} as line ${dueRuns(db.sql)} and ${lineOf(db.sql)} <> all(${[...except]}::uuid[])
    group by 1 order by min(r.due_at), 1 limit ${limit}`;
  return rows.map((row) => row.line);
}

/** Of one line. */
export async function readDueRuns(db: Database, line: string, limit: number): Promise<DueRun[]> {
  return await db.sql<DueRun[]>`
    select r.id, r.project_id, r.trigger_id, r.trigger, r.event, r.version_id, r.cause_deployment_id, r.dry_run, r.wanted,
      r.actor, r.actor_id ${dueRuns(db.sql)} and ${lineOf(db.sql)} = ${line} order by r.due_at, r.id limit ${limit}`;
}

/**
 * Seconds until the next tick or the end of the next soak, other than of these lines and of the ticks of these triggers;
 * undefined when nothing is waited for.
 */
export async function nextDueSeconds(
  db: Database,
  except: readonly string[] = [],
  ticksAside: readonly string[] = [],
): Promise<number | undefined> {
  const [row] = await db.sql<{ seconds: number | null }[]>`
    select extract(epoch from least(
      (select min(next_due_at) from trigger where enabled and next_due_at is not null and id <> all(${[
    ...ticksAside,
  ]}::uuid[])),
      (select min(r.due_at) from trigger_run r left join trigger t on t.id = r.trigger_id where r.outcome = 'waiting'
        and ${lineOf(db.sql)} <> all(${[...except]}::uuid[]))) - boreas_now())::float8 as seconds`;
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
