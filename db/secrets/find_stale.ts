/** What runs with an older value of a secret than it would get today. */
import { reason } from "../../domain/reason.ts";
import type { Fragment, Sql, TransactionSql } from "../client.ts";
import type { NewEvent } from "../events/record_event.ts";

/**
 * Beside `app_state s` and its spec `frozen_document f`: `stale.list`, one difference for each secret whose value that
 * counts there came after the task that deployed it was handed out; null when there is none. Worked out when it is read,
 * so that nothing has to be cleared: a deployment, or a secret that goes away, ends it.
 */
export const staleSecrets = (sql: Sql | TransactionSql): Fragment =>
  sql`lateral (
    select jsonb_agg(jsonb_build_object('path', 'secrets.' || x.name, 'expected', 'the value of ' ||
        to_char(x.since at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'actual', 'an older value') order by x.name) as list
    from (
      select distinct on (c.name) c.id, c.name, coalesce(c.rotated_at, c.created_at) as since from secret c
      where c.project_id = s.project_id and f.content::jsonb -> 'secrets' ? c.name
        and (c.environment_id is null or c.environment_id = s.environment_id)
        and (c.application_id is null or c.application_id = s.application_id)
      order by c.name, c.application_id is null, c.environment_id is null
    ) x where x.since > s.handed_out_at
  )`;

/** Where this secret's new value is not in use yet, as events that say so. */
export async function findStale(tx: TransactionSql, projectId: string, secretId: string): Promise<NewEvent[]> {
  const rows = await tx<
    { applicationId: string; application: string; environmentId: string; target: string; name: string }[]
  >`
    select s.application_id, a.name as application, s.environment_id, s.target, c.name
    from secret c join app_state s on s.project_id = c.project_id
      and (c.environment_id is null or c.environment_id = s.environment_id)
      and (c.application_id is null or c.application_id = s.application_id)
    join application a on a.id = s.application_id
    join frozen_document f on f.sha256 = s.spec_sha256
    join ${staleSecrets(tx)} stale on stale.list @> jsonb_build_array(jsonb_build_object('path', 'secrets.' || c.name))
    where c.id = ${secretId} and c.project_id = ${projectId} order by a.name, s.target`;
  return rows.map((row) => ({
    topic: "application",
    projectId,
    subjectId: row.applicationId,
    kind: "application.out_of_sync",
    data: {
      name: row.application,
      environmentId: row.environmentId,
      target: row.target,
      reason: reason("drift.older_secret", { application: row.application, target: row.target, secret: row.name }),
    },
  }));
}
