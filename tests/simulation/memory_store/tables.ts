/**
 * The rows that the verbs of `db/tasks` read and write, as plain objects: a second specification, to be read beside the
 * SQL. Instants are milliseconds of the database's own clock. Deployments here only go forward: rollbacks, pauses and
 * approvals are other verbs' matter and not simulated.
 */
import type { DeploymentState } from "../../../domain/deployment_state.ts";
import { HELD_STATES } from "../../../domain/task_state.ts";
import type { TaskState } from "../../../domain/task_state.ts";

export interface TaskRow {
  id: string;
  deploymentId: string;
  environmentId: string;
  parentId: string | null;
  name: string;
  position: number;
  isLeaf: boolean;
  state: TaskState;
  /** Code of its reason; sentences are the SQL's own. */
  reason: string;
  dependsOn: readonly string[];
  /** Of those, how many are not done. */
  unmet: number;
  /** The agent it is meant for; null lets any take it that is bound to the environment. */
  targetAgentId: string | null;
  agentId: string | null;
  lastAgentId: string | null;
  leaseExpiresAt: number | null;
  fence: number;
  attempt: number;
  /** Attempts that were the agent's loss, not the task's failure. */
  losses: number;
  maxAttempts: number;
  /** Of a parent: parts that may fail while the whole still succeeds. */
  maxFailures: number;
  runAfter: number;
  payload: Record<string, unknown>;
  /** Kinds of its events, in order. */
  events: string[];
}

export interface DeploymentRow {
  id: string;
  status: DeploymentState;
  onFailure: "continue" | "stop";
}

export interface AgentRow {
  id: string;
  name: string;
  environments: readonly string[];
  embedded: boolean;
  sessionId: string | null;
  arrivals: number;
}

export interface LogRow {
  chunks: Uint8Array[];
  bytes: number;
}

/** What a seeded bug takes away. */
export interface Guards {
  /** Writes of a lease holder are held to the fence they carry. */
  fence: boolean;
  /** No lease ends right after a time in which nobody swept. */
  grace: boolean;
}

export interface Tables {
  readonly tasks: Map<string, TaskRow>;
  readonly deployments: Map<string, DeploymentRow>;
  readonly agents: Map<string, AgentRow>;
  /** By `task:attempt`. */
  readonly logs: Map<string, LogRow>;
  sweep: { at: number; graceSince: number; graceUntil: number } | undefined;
  readonly guards: Guards;
  /** The database's clock: the only one that decides over leases. */
  now(): number;
}

export const createTables = (now: () => number, guards: Guards = { fence: true, grace: true }): Tables => ({
  tasks: new Map(),
  deployments: new Map(),
  agents: new Map(),
  logs: new Map(),
  sweep: undefined,
  guards,
  now,
});

const HELD: readonly TaskState[] = HELD_STATES;
export const isHeld = (task: TaskRow): boolean => HELD.includes(task.state);
export const waits = (task: TaskRow): boolean => task.state === "blocked" || task.state === "pending";
export const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
export const partsOf = (tables: Tables, id: string): TaskRow[] =>
  [...tables.tasks.values()].filter((task) => task.parentId === id);
export const bytesOf = (tables: Tables, task: TaskRow): number =>
  tables.logs.get(`${task.id}:${task.attempt}`)?.bytes ?? 0;

/** The task of a lease whose fence and holder are the live ones. */
export function liveTask(
  tables: Tables,
  lease: { taskId: string; fence: number; agentId: string },
): TaskRow | undefined {
  const task = tables.tasks.get(lease.taskId);
  if (!task || !isHeld(task) || task.agentId !== lease.agentId) return undefined;
  return task.fence === lease.fence || !tables.guards.fence ? task : undefined;
}

/** Out of its agent's hands, whole: no holder without a lease, no lease without a holder. */
export function moveTask(task: TaskRow, state: TaskState, reason: string, event = `task.${state}`): void {
  Object.assign(task, { state, reason, agentId: null, leaseExpiresAt: null });
  task.events.push(event);
}
