import type { TriggerEvent, TriggerRule, TriggerStart } from "../../domain/trigger.ts";
import type { Trigger } from "../../protocol/http_api.ts";
import type { Database } from "../database.ts";
import { runColumns } from "./read_runs.ts";

/** A trigger as the machine works with it. */
export interface TriggerRow extends TriggerRule {
  id: string;
  projectId: string;
  repositoryId: string | null;
  source: "file" | "api";
  name: string;
  on: TriggerEvent;
  environment: string;
  start: TriggerStart;
  enabled: boolean;
}
type StoredRow = Omit<TriggerRow, keyof TriggerRule> & { rule: TriggerRule };

const plain = ({ rule, ...row }: StoredRow): TriggerRow => ({ ...rule, ...row });

/** Those that a push to this repository is shown to, in the order in which they count: the file's, then people's. */
export async function readTriggersOf(db: Database, projectId: string, repositoryId: string): Promise<TriggerRow[]> {
  const rows = await db.sql<StoredRow[]>`
    select id, project_id, repository_id, source, name, kind as "on", environment, start, enabled, rule from trigger
    where project_id = ${projectId} and (repository_id = ${repositoryId} or repository_id is null)
    order by source = 'api', position, id`;
  return rows.map(plain);
}

export async function findTrigger(db: Database, id: string): Promise<TriggerRow | undefined> {
  const [row] = await db.sql<StoredRow[]>`
    select id, project_id, repository_id, source, name, kind as "on", environment, start, enabled, rule from trigger
    where id = ${id}`;
  return row && plain(row);
}

/** As people see them, with the last thing each of them said. Newest first, up to limit + 1. */
export async function listTriggers(
  db: Database,
  projectId: string,
  filter: { id?: string; repositoryId?: string; environment?: string; on?: string; limit: number; after?: string },
): Promise<Trigger[]> {
  const { id = null, repositoryId = null, environment = null, on = null, limit, after = null } = filter;
  return await db.sql<Trigger[]>`
    select t.id, t.repository_id, r.url as repository, t.source, t.name, t.kind as "on", t.environment,
      e.id as environment_id, t.start, t.rule, t.enabled, case when t.enabled then t.next_due_at end as next_due_at,
      t.created_by, t.created_at, t.updated_at, to_jsonb(l) as last_run
    from trigger t left join repository r on r.id = t.repository_id
      left join environment e on e.project_id = t.project_id and e.name = t.environment
      left join lateral (select ${runColumns(db.sql)} from trigger_run n left join version v on v.id = n.version_id
        where n.trigger_id = t.id and not n.dry_run order by n.id desc limit 1) l on true
    where t.project_id = ${projectId} and (${id}::uuid is null or t.id = ${id}::uuid)
      and (${repositoryId}::uuid is null or t.repository_id = ${repositoryId}::uuid)
      and (${environment}::text is null or t.environment = ${environment}::text)
      and (${on}::text is null or t.kind = ${on}::text) and (${after}::uuid is null or t.id < ${after}::uuid)
    order by t.id desc limit ${limit + 1}`;
}
