import { statusOf } from "../../domain/task_state.ts";
import type { Reason } from "../../domain/reason.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { Database } from "../database.ts";

export interface HistoryRow {
  /** The task's id. */
  id: string;
  deploymentId: string;
  versionId: string;
  version: string;
  environment: string;
  status: string;
  reason: Reason;
  startedAt: string | null;
  completedAt: string | null;
}

/** Every deployment that carried this application, newest first, up to limit + 1; rollbacks are lines of their own. */
export async function listHistory(
  db: Database,
  projectId: string,
  applicationId: string,
  { limit, after = null }: { limit: number; after?: string | null },
): Promise<HistoryRow[]> {
  const rows = await db.sql<(Omit<HistoryRow, "status"> & { state: TaskState })[]>`
    select t.id, t.deployment_id, d.version_id, v.version, e.name as environment, t.state, t.reason,
      t.started_at, t.completed_at
    from task t
    join deployment d on d.id = t.deployment_id
    join version v on v.id = d.version_id
    join environment e on e.id = d.environment_id
    where t.project_id = ${projectId} and t.app_id = ${applicationId} and t.parent_id is null and t.type <> 'hook'
      and (${after}::uuid is null or t.id < ${after}::uuid)
    order by t.id desc limit ${limit + 1}`;
  return rows.map(({ state, ...row }) => ({ ...row, status: statusOf(state) }));
}
