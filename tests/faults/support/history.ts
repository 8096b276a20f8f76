/**
 * What happened, seen from outside, and whether it may have happened: the invariants I1-I9 of every fault test.
 * A history holds what a test could gather; an invariant about something that is absent is not looked at.
 */
import type { Sql } from "../../../db/client.ts";
import type { Master } from "../../helpers/start_product.ts";
import { checkHistory } from "./check_history.ts";
import type { DeploymentView, History, TaskEvent, TaskView } from "./history_parts.ts";

export { checkHistory };
export type { DeploymentView, History, TaskEvent, TaskView };

/** Throws with one sentence per broken invariant and the history behind them, and when there is nothing to judge. */
export function expectSound(history: History): void {
  const facts = Object.values(history).filter((value) => typeof value === "object");
  if (facts.every((fact) => Array.isArray(fact) && fact.length === 0)) throw new Error("this history says nothing");
  const broken = checkHistory(history);
  if (broken.length > 0) throw new Error(`${broken.join("\n")}\n\n${printHistory(history)}`);
}

const MOST_LINES = 400;

export function printHistory({ ledger = [], events = [], tasks = [], deployments = [], logs = [] }: History): string {
  const lines = [
    ...deployments.map((d) => `deployment ${d.id} ${d.status}, ${d.startedAt} to ${d.completedAt}`),
    ...tasks.map((t) =>
      `task ${t.id} ${t.name ?? ""} ${t.status}, attempt ${t.attempt}, fence ${t.fence}, after [${t.dependencies}]`
    ),
    ...events.map((e) => `event ${e.id} ${e.at} ${e.kind} ${e.taskId ?? e.deploymentId} ${e.reason.text ?? ""}`),
    ...ledger.map((l) => `ledger ${l.at} ${l.what} ${l.task} attempt ${l.attempt} fence ${l.fence}`),
    ...logs.map((l) => `log of ${l.task} attempt ${l.attempt}: ${l.emitted.length} emitted, ${l.stored.length} stored`),
  ];
  const left = lines.length - MOST_LINES;
  return [...lines.slice(0, MOST_LINES), ...(left > 0 ? [`... and ${left} lines more`] : [])].join("\n");
}

/**
 * Everything the database or the API knows of these deployments. Events come by id: those of one task are written under
 * the lock of its row, so their ids are in the order of what happened (their transactions' numbers need not be).
 */
export async function readHistory(source: Sql | Master, deploymentIds: readonly string[]): Promise<History> {
  const history =
    await ("api" in source ? readFromApi(source, deploymentIds) : readFromDatabase(source, deploymentIds));
  expectStories(history, deploymentIds);
  return history;
}

/** Of each deployment its row, a task and an event: what was not found cannot break anything. */
export function expectStories({ deployments = [], tasks = [], events = [] }: History, ids: readonly string[]): void {
  if (ids.length === 0) throw new Error("a history of no deployment says nothing");
  for (const id of ids) {
    const isOf = (one: { deploymentId: string }) => one.deploymentId === id;
    const found = { row: deployments.some((d) => d.id === id), task: tasks.some(isOf), event: events.some(isOf) };
    for (const [what, isThere] of Object.entries(found)) {
      if (!isThere) throw new Error(`no ${what} of deployment ${id} was found: its history says nothing`);
    }
  }
}

async function readFromDatabase(sql: Sql, ids: readonly string[]): Promise<History> {
  const events = await sql<TaskEvent[]>`
    select id, created_at as at, case when topic = 'task' then subject_id end as task_id, deployment_id, kind,
      data -> 'reason' as reason
    from event where deployment_id = any(${[...ids]}::uuid[]) and topic in ('task', 'deployment') and data ? 'reason'
    order by id`;
  const tasks = await sql<TaskView[]>`
    select t.id, t.deployment_id, t.parent_id, t.name, t.state as status, t.attempt, t.fence, t.agent_id,
      t.lease_expires_at, t.is_rollback, t.max_failures,
      array(select d.depends_on::text from task_dependency d where d.task_id = t.id) as dependencies
    from task t where t.deployment_id = any(${[...ids]}::uuid[]) order by t.position, t.id`;
  const deployments = await sql<DeploymentView[]>`
    select id, status, started_at, completed_at from deployment where id = any(${[...ids]}::uuid[]) order by id`;
  return { events: [...events], tasks: [...tasks], deployments: [...deployments] };
}

const MOST_ENTRIES = 1000;

async function readFromApi(master: Master, ids: readonly string[]): Promise<History> {
  const history = { events: [] as TaskEvent[], tasks: [] as TaskView[], deployments: [] as DeploymentView[] };
  for (const id of ids) {
    const { tasks, ...deployment } = await master.api("GET", `/deployments/${id}`);
    const { items } = await master.api("GET", `/deployments/${id}/timeline`);
    if (items.length >= MOST_ENTRIES) {
      throw new Error(`the timeline of ${id} is cut; read its history from the database`);
    }
    history.deployments.push(deployment);
    history.events.push(...items);
    history.tasks.push(
      ...tasks.map((t: TaskView & { type: string }) => ({
        ...t,
        isRollback: t.type === "rollback" || isPartOfRollback(t),
      })),
    );
  }
  history.events.sort((a, b) => a.id - b.id);
  return history;
}

const isPartOfRollback = (task: { payload?: { isRollback?: unknown } } & TaskView) => task.payload?.isRollback === true;
