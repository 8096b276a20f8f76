/** Tasks as the API shows them. Set-based: one statement for the tasks, one for what they wait for. */
import { ACTIVE_DEPLOYMENT_STATES, EDITABLE_DEPLOYMENT_STATES } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { HELD_STATES, isFinal, statesWhere, statusOf, stepOf } from "../../domain/task_state.ts";
import type { TaskState, TaskStatus, TaskStep } from "../../domain/task_state.ts";
import type { Task } from "../../protocol/http_api.ts";
import type { Fragment } from "../client.ts";
import type { Database } from "../database.ts";

export interface TaskFilter {
  deploymentId?: string;
  status?: TaskStatus;
  step?: TaskStep;
  /** Parts of tasks too, not only the tasks of applications. */
  wholeTree?: boolean;
  /** Only tasks older than this one. */
  before?: string;
}
type TaskRow = Omit<Task, "step" | "status" | "dependencies" | "blockedBy"> & { state: TaskState };
interface DependencyRow {
  taskId: string;
  id: string;
  name: string;
  state: TaskState;
  since: string;
}

/** Newest first, at most `limit`. */
export async function listTasks(
  db: Database,
  projectId: string,
  filter: TaskFilter,
  limit: number,
): Promise<Task[]> {
  const { sql } = db;
  return await withDependencies(
    db,
    await selectTasks(
      db,
      sql`where t.project_id = ${projectId}
      ${filter.deploymentId ? sql`and t.deployment_id = ${filter.deploymentId}` : sql``}
      ${filter.wholeTree ? sql`` : sql`and t.parent_id is null`}
      ${filter.before ? sql`and t.id < ${filter.before}` : sql``}
      ${filter.status || filter.step ? inStates(db, statesWhere(filter), filter.deploymentId !== undefined) : sql``}
      order by t.id desc limit ${limit}`,
    ),
  );
}

/**
 * What people look for are a few tasks among very many that succeeded. Failures have an index of their own, which wants
 * its condition spelled out. What waits or runs is found through the deployments that are open: no index on its state,
 * which would cost every step of every task. (A superseded deployment's tasks wait for nothing; asked for by its id
 * they are listed.)
 */
function inStates(db: Database, states: TaskState[], isWithinDeployment: boolean): Fragment {
  const within = db.sql`and t.state = any(${states})`;
  if (states.length === 0 || isWithinDeployment || states.includes("success")) return within;
  if (states.some(isFinal)) return db.sql`${within} and t.state in ('failed', 'cancelled', 'skipped')`;
  const open: readonly DeploymentState[] = states.every((s) => (HELD_STATES as readonly TaskState[]).includes(s))
    ? ACTIVE_DEPLOYMENT_STATES
    : [...EDITABLE_DEPLOYMENT_STATES, ...ACTIVE_DEPLOYMENT_STATES];
  return db.sql`${within} and exists (
    select from deployment d where d.id = t.deployment_id and d.status = any(${open}))`;
}

export async function getTask(db: Database, projectId: string, id: string): Promise<Task | undefined> {
  const [task] = await withDependencies(
    db,
    await selectTasks(db, db.sql`where t.id = ${id} and t.project_id = ${projectId}`),
  );
  return task;
}

/** In order of display. */
export async function getTasks(db: Database, ids: readonly string[]): Promise<Task[]> {
  if (ids.length === 0) return [];
  return await withDependencies(
    db,
    await selectTasks(db, db.sql`where t.id = any(${[...ids]}::uuid[]) order by t.position, t.id`),
  );
}

/** The whole tree of a deployment, in order of display. */
export async function getTasksOfDeployment(db: Database, deploymentId: string): Promise<Task[]> {
  return await withDependencies(
    db,
    await selectTasks(db, db.sql`where t.deployment_id = ${deploymentId} order by t.position, t.id`),
  );
}

const selectTasks = (db: Database, tail: Fragment) =>
  db.sql<TaskRow[]>`
    select t.id, t.deployment_id, t.parent_id, t.app_id, t.name, t.type, t.state, t.payload, t.result, t.attempt, t.fence,
      coalesce(t.agent_id, t.last_agent_id) as agent_id, a.name as agent, t.lease_expires_at, t.reason, t.created_at, t.updated_at, t.started_at, t.completed_at
    from task t left join agent a on a.id = coalesce(t.agent_id, t.last_agent_id) ${tail}`;

async function withDependencies(db: Database, rows: readonly TaskRow[]): Promise<Task[]> {
  if (rows.length === 0) return [];
  const dependencies = await db.sql<DependencyRow[]>`
    select td.task_id, d.id, d.name, d.state, d.state_since as since
    from task_dependency td join task d on d.id = td.depends_on
    where td.task_id = any(${rows.map((r) => r.id)}::uuid[]) order by d.position, d.id`;
  const byTask = Map.groupBy(dependencies, (d) => d.taskId);
  return rows.map(({ state, ...row }) => {
    const waitsFor = byTask.get(row.id) ?? [];
    return {
      ...row,
      step: stepOf(state),
      status: statusOf(state),
      dependencies: waitsFor.map((d) => d.id),
      // A failed one still blocks: while its deployment is paused, a person may try it again.
      blockedBy: state !== "blocked" ? [] : waitsFor.filter((d) => d.state !== "success").map((d) => ({
        id: d.id,
        name: d.name,
        status: statusOf(d.state),
        since: d.since,
      })),
    };
  });
}
