import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import type { TaskType } from "../../domain/task_state.ts";
import type { Tx } from "../database.ts";

export interface NewTask {
  id: string;
  projectId: string;
  deploymentId: string;
  parentId: string | null;
  environmentId: string;
  appId: string | null;
  name: string;
  type: TaskType;
  position: number;
  isLeaf: boolean;
  isRollback: boolean;
  open: boolean;
  maxAttempts: number;
  maxFailures?: number;
  /** Why it has ended before it begins: its machine is out of service. */
  leftOut?: Reason | null;
  dependsOn: string[];
  targetAgentId: string | null;
  payload: Record<string, unknown>;
  specSha256: string | null;
}

/** Writes tasks and their edges. A task without dependencies is pending at once. */
export async function insertTasks(tx: Tx, tasks: readonly NewTask[]): Promise<void> {
  if (tasks.length === 0) return;
  const names = new Map(tasks.map((t) => [t.id, t.name]));
  const rows = tasks.map((t) => {
    const blocked = t.dependsOn.length > 0;
    const waitsFor = t.dependsOn.map((id) => names.get(id) ?? "work that is still stopping").join(", ");
    const said = t.leftOut
      ? t.leftOut
      : blocked
      ? reason("task.waiting_for_dependencies", { names: waitsFor })
      : t.open
      ? reason("task.ready")
      : reason("task.waiting_for_start");
    return {
      ...t,
      unmet: t.dependsOn.length,
      state: t.leftOut ? "skipped" : blocked ? "blocked" : "pending",
      reason: said,
      maxFailures: t.maxFailures ?? 0,
    };
  });
  await tx`
    insert into task (id, project_id, deployment_id, parent_id, environment_id, app_id, name, type, position, state, reason,
      is_rollback, is_leaf, unmet, open, max_failures, target_agent_id, payload, spec_sha256, max_attempts, completed_at)
    select id, "projectId", "deploymentId", "parentId", "environmentId", "appId", name, type, position, state, reason,
      "isRollback", "isLeaf", unmet, open, "maxFailures", "targetAgentId", payload, "specSha256", "maxAttempts",
      case when state = 'skipped' then boreas_now() end
    from jsonb_to_recordset(${
    tx.json(rows as never)
  }) as r(id uuid, "projectId" uuid, "deploymentId" uuid, "parentId" uuid, "environmentId" uuid,
      "appId" uuid, name text, type text, position int, state text, reason jsonb, "isRollback" boolean, "isLeaf" boolean, unmet int, open boolean,
      "maxFailures" int, "targetAgentId" uuid, payload jsonb, "specSha256" text, "maxAttempts" int)`;
  const edges = tasks.flatMap((t) => t.dependsOn.map((d) => [t.id, d] as const));
  await tx`insert into task_dependency (task_id, depends_on)
    select * from unnest(${edges.map((e) => e[0])}::uuid[], ${edges.map((e) => e[1])}::uuid[])`;
}
