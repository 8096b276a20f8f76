/** The twin of `createTaskStore`: the same port over plain maps. Each verb runs whole, as its transaction does. */
import type { TaskStore } from "../../../db/tasks/task_store.ts";
import {
  connectAgent,
  connectIdle,
  disconnectAgent,
  findReplaced,
  readAgentIdentity,
  readCancels,
  readHeld,
} from "./agent_verbs.ts";
import { appendChunks } from "./append_chunks.ts";
import { finishAndHandOn, finishTasks, reapTasks } from "./ending_verbs.ts";
import { acceptTasks, claimTasks, renewLeases } from "./lease_verbs.ts";
import type { Tables } from "./tables.ts";

export const createMemoryStore = (tables: Tables): TaskStore => ({
  claimTasks: async (agents, leaseSeconds) => claimTasks(tables, agents, leaseSeconds),
  acceptTasks: async (leases) => acceptTasks(tables, leases),
  renewLeases: async (leases, leaseSeconds) => renewLeases(tables, leases, leaseSeconds),
  finishTasks: async (results, chance) => finishTasks(tables, results, chance),
  finishAndHandOn: async (results, chance, agents, leaseSeconds) =>
    finishAndHandOn(tables, results, chance, agents, leaseSeconds),
  appendChunks: async (chunks) => appendChunks(tables, chunks),
  reapTasks: async (options) => reapTasks(tables, options),
  readCancels: async (agentIds) => readCancels(tables, agentIds),
  readHeld: async (agentIds) => readHeld(tables, agentIds),
  readAgentIdentity: async (id) => readAgentIdentity(tables, id),
  connectAgent: async (arrival, options) => connectAgent(tables, arrival, options),
  connectIdle: async (arrivals) => connectIdle(tables, arrivals),
  disconnectAgent: async (agentId, sessionId) => disconnectAgent(tables, agentId, sessionId),
  findReplaced: async (sessions) => findReplaced(tables, sessions),
});
