/** Small factories for rows of the work tables: a test says only what it is about. */
import { HELD_STATES, isFinal } from "../../domain/task_state.ts";
import type { TaskState, TaskType } from "../../domain/task_state.ts";
import { isActive, isEnded } from "../../domain/deployment_state.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import type { Database } from "../../db/database.ts";
import { recordEvents } from "../../db/events/record_event.ts";
import type { NewEvent } from "../../db/events/record_event.ts";

export interface SeedTask {
  deploymentId: string;
  environmentId: string;
  name?: string;
  state?: TaskState;
  type?: TaskType;
  position?: number;
  parentId?: string;
  appId?: string;
  /** Holder of a held task; one is made when it is missing. */
  agentId?: string;
  isLeaf?: boolean;
  isRollback?: boolean;
  attempt?: number;
  payload?: Record<string, unknown>;
  reason?: Reason;
  dependsOn?: string[];
}

export function seedWork(db: Database, projectId = DEFAULT_PROJECT) {
  const { sql } = db;
  let count = 0;
  const unique = (word: string) => `${word}-${++count}-${projectId.slice(-4)}`;

  const project = async (): Promise<string> => {
    const id = db.newId();
    await sql`insert into project (id, name) values (${id}, ${`project-${id}`})`;
    return id;
  };
  const user = async (username = unique("user"), role = "deployer"): Promise<string> => {
    const id = db.newId();
    await sql`insert into app_user (id, username, password_hash) values (${id}, ${username}, 'none')`;
    await sql`insert into member (project_id, user_id, role) values (${projectId}, ${id}, ${role})`;
    return id;
  };
  const environment = async (name = unique("env"), type = "mock"): Promise<string> => {
    const id = db.newId();
    await sql`insert into environment (id, project_id, name, type, status, created_by)
      values (${id}, ${projectId}, ${name}, ${type}, 'active', 'seed')`;
    return id;
  };
  const application = async (name = unique("app"), environments: string[] = []): Promise<string> => {
    const id = db.newId();
    await sql`insert into application (id, project_id, name, type, created_by)
      values (${id}, ${projectId}, ${name}, 'microservice', 'seed')`;
    for (const environmentId of environments) {
      await sql`insert into application_environment (application_id, environment_id, project_id, source)
        values (${id}, ${environmentId}, ${projectId}, 'api')`;
    }
    return id;
  };
  const version = async (name = unique("v")): Promise<string> => {
    const id = db.newId();
    const why = sql.json(reason("version.normal", { ref: name }) as never);
    await sql`insert into version (id, project_id, version, status, reason, builds, builds_reason, created_by)
      values (${id}, ${projectId}, ${name}, 'normal', ${why}, 'ready', ${why}, 'seed')`;
    return id;
  };
  const agent = async (
    options: { name?: string; status?: string; environments?: string[]; embedded?: boolean; slots?: number } = {},
  ): Promise<string> => {
    const id = db.newId();
    const status = options.status ?? "connected";
    await sql`insert into agent (id, project_id, name, kind, embedded, public_key, sealing_key, status, slots, reason, created_by)
      values (${id}, ${projectId}, ${options.name ?? unique("agent")}, 'agent', ${options.embedded ?? false}, 'p', 's',
        ${status}, ${options.slots ?? 4}, ${sql.json(reason("agent.connected") as never)}, 'seed')`;
    for (const environmentId of options.environments ?? []) {
      await sql`insert into agent_environment (agent_id, environment_id) values (${id}, ${environmentId})`;
    }
    return id;
  };
  const deployment = async (options: {
    versionId?: string;
    environmentId?: string;
    status?: DeploymentState;
    applications?: string[];
    approvalsNeeded?: number;
  } = {}): Promise<{ id: string; environmentId: string; versionId: string }> => {
    const id = db.newId();
    const status = options.status ?? "running";
    const environmentId = options.environmentId ?? await environment();
    const versionId = options.versionId ?? await version();
    await sql`insert into deployment (id, project_id, version_id, environment_id, status, reason, applications, must_in_order,
        approvals_needed, plan_hash, created_by, started_at, completed_at)
      values (${id}, ${projectId}, ${versionId}, ${environmentId}, ${status},
        ${sql.json(reason("deployment.started", { actor: "seed" }) as never)}, ${options.applications ?? []}, ${[]},
        ${options.approvalsNeeded ?? 0}, 'plan', 'seed', ${
      isActive(status) || isEnded(status) ? sql`boreas_now()` : null
    },
        ${isEnded(status) ? sql`boreas_now()` : null})`;
    return { id, environmentId, versionId };
  };
  const task = async (options: SeedTask): Promise<string> => {
    const id = db.newId();
    const state = options.state ?? "pending";
    const isLeaf = options.isLeaf ?? true;
    const held = isLeaf && (HELD_STATES as readonly string[]).includes(state);
    const agentId = held ? options.agentId ?? await agent() : null;
    const dependsOn = options.dependsOn ?? [];
    const unmet = state === "blocked" ? Math.max(1, dependsOn.length) : 0;
    await sql`insert into task (id, project_id, deployment_id, parent_id, environment_id, app_id, name, type, position, state,
        reason, is_rollback, is_leaf, unmet, open, payload, attempt, fence, agent_id, lease_expires_at, started_at, completed_at)
      values (${id}, ${projectId}, ${options.deploymentId}, ${options.parentId ?? null}, ${options.environmentId},
        ${options.appId ?? null}, ${options.name ?? unique("task")}, ${options.type ?? "deploy"}, ${
      options.position ?? count
    },
        ${state}, ${sql.json((options.reason ?? reason("task.ready")) as never)}, ${
      options.isRollback ?? false
    }, ${isLeaf},
        ${unmet}, true, ${sql.json((options.payload ?? {}) as never)}, ${options.attempt ?? (held ? 1 : 0)},
        ${options.attempt ?? (held ? 1 : 0)}, ${agentId}, ${held ? sql`boreas_now() + interval '30 seconds'` : null},
        ${held || isFinal(state) ? sql`boreas_now()` : null}, ${isFinal(state) ? sql`boreas_now()` : null})`;
    for (const on of dependsOn) await sql`insert into task_dependency (task_id, depends_on) values (${id}, ${on})`;
    return id;
  };
  /** Moves a task without any verb: for tests of readers. */
  const moveTask = async (id: string, state: TaskState): Promise<void> => {
    await sql`update task set state = ${state}, unmet = 0, updated_at = boreas_now(), state_since = boreas_now(),
        agent_id = case when ${isFinal(state) || state === "pending"} then null else agent_id end,
        lease_expires_at = case when ${isFinal(state) || state === "pending"} then null else lease_expires_at end,
        completed_at = ${isFinal(state) ? sql`boreas_now()` : null}
      where id = ${id}`;
  };
  /** Appends to an attempt's log, as an agent's chunks would. */
  const log = async (taskId: string, attempt: number, ...pieces: (string | Uint8Array)[]): Promise<void> => {
    for (const piece of pieces) {
      const data = typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
      await sql.begin(async (tx) => {
        await tx`insert into log_head (task_id, attempt) values (${taskId}, ${attempt}) on conflict do nothing`;
        const [head] = await tx<{ sequence: number; bytes: number }[]>`
          update log_head set next_sequence = next_sequence + 1, bytes = bytes + ${data.length}
          where task_id = ${taskId} and attempt = ${attempt}
          returning next_sequence - 1 as sequence, bytes - ${data.length} as bytes`;
        await tx`insert into log_chunk (task_id, attempt, sequence, "offset", data)
          values (${taskId}, ${attempt}, ${head!.sequence}, ${head!.bytes}, ${data})`;
      });
    }
  };
  const event = (one: Partial<NewEvent>): Promise<void> =>
    sql.begin((tx) => recordEvents(tx, [{ topic: "task", projectId, subjectId: null, kind: "test", ...one }]))
      .then(() => {});

  return {
    projectId,
    project,
    user,
    environment,
    application,
    version,
    agent,
    deployment,
    task,
    moveTask,
    log,
    event,
  };
}
export type SeedWork = ReturnType<typeof seedWork>;

export { seedFinishedDeployment } from "./seed_finished_deployment.ts";
export type { Seed } from "./seed_finished_deployment.ts";
