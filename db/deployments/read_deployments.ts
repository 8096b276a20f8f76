/** Deployments as the API shows them, with their approvals and the counts of their tasks; no statement per row. */
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { statusOf } from "../../domain/task_state.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { Deployment, DeploymentWithTasks } from "../../protocol/http_api.ts";
import type { Fragment } from "../client.ts";
import type { Database } from "../database.ts";
import { getTasksOfDeployment } from "../tasks/read_tasks.ts";

export interface DeploymentFilter {
  status?: DeploymentState;
  environmentId?: string;
  versionId?: string;
  applicationId?: string;
  /** Only deployments older than this one. */
  before?: string;
  limit: number;
}
type DeploymentRow = Omit<Deployment, "approvals" | "progress"> & { approvalsNeeded: number };

/** Newest first, at most `limit`. */
export async function listDeployments(
  db: Database,
  projectId: string,
  filter: DeploymentFilter,
): Promise<Deployment[]> {
  const { sql } = db;
  return await complete(
    db,
    await selectDeployments(
      db,
      sql`where d.project_id = ${projectId}
      ${filter.status ? sql`and d.status = ${filter.status}` : sql``}
      ${filter.environmentId ? sql`and d.environment_id = ${filter.environmentId}` : sql``}
      ${filter.versionId ? sql`and d.version_id = ${filter.versionId}` : sql``}
      ${
        filter.applicationId
          ? sql`and (select name from application where id = ${filter.applicationId} and project_id = ${projectId}) = any(d.applications)`
          : sql``
      }
      ${filter.before ? sql`and d.id < ${filter.before}` : sql``}
      order by d.id desc limit ${filter.limit}`,
    ),
  );
}

/** Newest first; ids that are unknown are left out. */
export async function getDeployments(db: Database, ids: readonly string[]): Promise<Deployment[]> {
  if (ids.length === 0) return [];
  return await complete(
    db,
    await selectDeployments(db, db.sql`where d.id = any(${[...ids]}::uuid[]) order by d.id desc`),
  );
}

export async function getDeploymentWithTasks(
  db: Database,
  projectId: string,
  id: string,
): Promise<DeploymentWithTasks | undefined> {
  const rows = await selectDeployments(db, db.sql`where d.id = ${id} and d.project_id = ${projectId}`);
  if (rows.length === 0) return undefined;
  const [[deployment], tasks] = await Promise.all([complete(db, rows), getTasksOfDeployment(db, id)]);
  return { ...deployment!, tasks };
}

const selectDeployments = (db: Database, tail: Fragment) =>
  db.sql<DeploymentRow[]>`
    select d.id, d.version_id, v.version, d.environment_id, e.name as environment, d.status, d.reason, d.must_in_order,
      d.applications, d.strategy, d.manual_approval, d.approvals_needed, d.created_by, d.error_message, d.created_at,
      d.updated_at, d.started_at, d.completed_at, d.removes
    from deployment d join version v on v.id = d.version_id and d.retired_at is null
    join environment e on e.id = d.environment_id ${tail}`;

async function complete(db: Database, rows: readonly DeploymentRow[]): Promise<Deployment[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((r) => r.id);
  const [approvals, counts] = await Promise.all([
    // Bound to the plan they were given for: a plan that changed has none.
    db.sql<{ deploymentId: string; actor: string; at: string }[]>`
      select p.deployment_id, p.actor, p.created_at as at
      from approval p join deployment d on d.id = p.deployment_id and d.plan_hash = p.plan_hash
      where p.deployment_id = any(${ids}::uuid[]) and p.decision = 'approve' order by p.id`,
    db.sql<{ deploymentId: string; state: TaskState; count: number }[]>`
      select deployment_id, state, count(*)::int as count from task
      where deployment_id = any(${ids}::uuid[]) and parent_id is null and not is_rollback group by deployment_id, state`,
  ]);
  const given = Map.groupBy(approvals, (a) => a.deploymentId);
  const counted = Map.groupBy(counts, (c) => c.deploymentId);
  return rows.map(({ approvalsNeeded, ...row }) => {
    const progress: Record<string, number> = {};
    for (const { state, count } of counted.get(row.id) ?? []) {
      progress[statusOf(state)] = (progress[statusOf(state)] ?? 0) + count;
    }
    return {
      ...row,
      approvals: { count: approvalsNeeded, given: (given.get(row.id) ?? []).map(({ actor, at }) => ({ actor, at })) },
      progress,
    };
  });
}
