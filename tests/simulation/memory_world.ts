import { createMemoryStore } from "./memory_store/memory_store.ts";
import { cancelDeployment, cancelTask } from "./memory_store/people_verbs.ts";
import { byId, createTables } from "./memory_store/tables.ts";
import type { Guards, Tables } from "./memory_store/tables.ts";
import { EPOCH } from "./store_world.ts";
import type { NewTask, StoreWorld, TaskView } from "./store_world.ts";

export function addTask(tables: Tables, task: NewTask, payload: Record<string, unknown> = {}): void {
  const dependsOn = task.dependsOn ?? [];
  const state = dependsOn.length > 0 ? "blocked" : "pending";
  tables.tasks.set(task.id, {
    id: task.id,
    deploymentId: task.deploymentId,
    environmentId: String(payload.environmentId ?? ""),
    parentId: task.parentId ?? null,
    name: task.id,
    position: tables.tasks.size,
    isLeaf: task.isLeaf ?? true,
    state,
    reason: state === "blocked" ? "task.waiting_for_dependencies" : "task.ready",
    dependsOn,
    unmet: dependsOn.length,
    targetAgentId: task.targetAgentId ?? null,
    agentId: null,
    lastAgentId: null,
    leaseExpiresAt: null,
    fence: 0,
    attempt: 0,
    losses: 0,
    maxAttempts: task.maxAttempts ?? 1,
    maxFailures: task.maxFailures ?? 0,
    runAfter: tables.now(),
    payload,
    events: [],
  });
}

export function createMemoryWorld(guards?: Guards): StoreWorld {
  let now = EPOCH;
  const tables = createTables(() => now, guards);
  const environmentOf = new Map<string, string>();
  return {
    store: createMemoryStore(tables),
    now: () => now,
    advance: async (milliseconds) => void (now += milliseconds),
    environment: async () => {},
    async agent(id, environments) {
      tables.agents.set(id, { id, name: `agent ${id}`, environments, embedded: false, sessionId: null, arrivals: 0 });
    },
    async deployment(id, environmentId, onFailure) {
      environmentOf.set(id, environmentId);
      tables.deployments.set(id, { id, status: "running", onFailure });
    },
    task: async (task) => addTask(tables, task, { environmentId: environmentOf.get(task.deploymentId)! }),
    cancelTask: async (id) => cancelTask(tables, id),
    cancelDeployment: async (id) => cancelDeployment(tables, id),
    read: async () => ({
      tasks: [...tables.tasks.values()].sort(byId).map((task): TaskView => ({
        id: task.id,
        state: task.state,
        reason: task.reason,
        unmet: task.unmet,
        agentId: task.agentId,
        lastAgentId: task.lastAgentId,
        leaseExpiresAt: task.leaseExpiresAt,
        runAfter: task.state === "pending" && task.isLeaf ? Math.round(task.runAfter) : null,
        fence: task.fence,
        attempt: task.attempt,
        losses: task.losses,
        events: task.isLeaf ? task.events : [],
        logs: logsOf(tables, task.id),
      })),
      deployments: [...tables.deployments.values()].sort(byId).map(({ id, status }) => ({ id, status })),
      sessions: Object.fromEntries([...tables.agents.values()].sort(byId).map((a) => [a.id, a.sessionId])),
    }),
  };
}

const logsOf = (tables: Tables, taskId: string): Record<number, string> =>
  Object.fromEntries(
    [...tables.logs].filter(([key]) => key.startsWith(`${taskId}:`)).map(([key, log]) => [
      Number(key.split(":")[1]),
      log.chunks.map((chunk) => new TextDecoder().decode(chunk)).join(""),
    ]),
  );
