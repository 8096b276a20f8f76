/** One small world twice: in PostgreSQL behind the product's verbs, and in the twin's maps. Tests see no difference. */
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { TaskStore } from "../../db/tasks/task_store.ts";

export interface NewTask {
  id: string;
  deploymentId: string;
  parentId?: string;
  isLeaf?: boolean;
  dependsOn?: string[];
  targetAgentId?: string;
  maxAttempts?: number;
  maxFailures?: number;
}

/** Everything of a task that somebody can see, instants as whole milliseconds. */
export interface TaskView {
  id: string;
  state: TaskState;
  reason: string;
  unmet: number;
  agentId: string | null;
  lastAgentId: string | null;
  leaseExpiresAt: number | null;
  /** Says something only while the task waits to be handed out. */
  runAfter: number | null;
  fence: number;
  attempt: number;
  losses: number;
  /** Of a leaf, the kinds of its events. */
  events: string[];
  /** The log of each attempt, as text. */
  logs: Record<number, string>;
}

export interface StoreView {
  tasks: TaskView[];
  deployments: { id: string; status: DeploymentState }[];
  /** agent -> the connection it is on */
  sessions: Record<string, string | null>;
}

export interface StoreWorld {
  store: TaskStore;
  now(): number;
  /** Moves the database's clock, the only one there is here. */
  advance(milliseconds: number): Promise<void>;
  environment(id: string): Promise<void>;
  agent(id: string, environments: string[]): Promise<void>;
  deployment(id: string, environmentId: string, onFailure: "continue" | "stop"): Promise<void>;
  /** Blocked when it depends on something; in the order of the calls. */
  task(task: NewTask): Promise<void>;
  /** @returns false when it had ended already */
  cancelTask(id: string): Promise<boolean>;
  cancelDeployment(id: string): Promise<boolean>;
  read(): Promise<StoreView>;
}

export const EPOCH = Date.parse("2030-01-01T00:00:00Z");
