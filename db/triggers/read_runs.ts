import type { TriggerRun } from "../../protocol/http_api.ts";
import type { Fragment, Sql } from "../client.ts";
import type { Database } from "../database.ts";

/** Of a run `n` and its version `v`, named as the API names them: also inside a JSON object of the database's making. */
export const runColumns = (sql: Sql): Fragment =>
  sql`n.id, n.trigger_id as "triggerId", n.trigger, n.environment, n.event, n.outcome, n.reason, n.delivery_id as "deliveryId",
    n.version_id as "versionId", v.version, n.deployment_id as "deploymentId", n.cause_deployment_id as "causeDeploymentId",
    n.due_at as "dueAt", n.dry_run as "dryRun", n.wanted, n.actor, n.created_at as "createdAt", n.decided_at as "decidedAt"`;

export interface RunFilter {
  id?: string;
  triggerId?: string;
  deliveryId?: string;
  versionId?: string;
  outcome?: string;
  limit: number;
  after?: string;
}

/** What triggers said to events. Newest first, up to limit + 1. */
export async function listRuns(db: Database, projectId: string, filter: RunFilter): Promise<TriggerRun[]> {
  const { sql } = db;
  const wanted = [
    sql`n.project_id = ${projectId}`,
    ...(filter.id ? [sql`n.id = ${filter.id}`] : []),
    ...(filter.triggerId ? [sql`n.trigger_id = ${filter.triggerId}`] : []),
    ...(filter.deliveryId ? [sql`n.delivery_id = ${filter.deliveryId}`] : []),
    ...(filter.versionId ? [sql`n.version_id = ${filter.versionId}`] : []),
    ...(filter.outcome ? [sql`n.outcome = ${filter.outcome}`] : []),
    ...(filter.after ? [sql`n.id < ${filter.after}`] : []),
  ];
  const where = wanted.reduce((all, one) => sql`${all} and ${one}`);
  return await sql<TriggerRun[]>`
    select ${runColumns(sql)} from trigger_run n left join version v on v.id = n.version_id
    where ${where} order by n.id desc limit ${filter.limit + 1}`;
}
