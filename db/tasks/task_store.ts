/**
 * All that the heart of the scheduler asks of the database: leases, their ends, their logs, and who holds them. The
 * simulation has a twin of it in memory; one suite holds the two to the same behaviour.
 */
import type { Chance } from "../../domain/ports.ts";
import { connectAgent } from "../agents/connect_agent.ts";
import type { Arrival, Arrived } from "../agents/connect_agent.ts";
import { connectIdle } from "../agents/connect_idle.ts";
import type { IdleArrival } from "../agents/connect_idle.ts";
import { disconnectAgent } from "../agents/disconnect_agent.ts";
import { findReplaced } from "../agents/find_replaced.ts";
import { readAgentIdentity } from "../agents/read_agent_identity.ts";
import type { AgentIdentity } from "../agents/read_agent_identity.ts";
import type { Database } from "../database.ts";
import { appendChunks } from "../logs/append_chunks.ts";
import type { LogPosition, NewChunk } from "../logs/append_chunks.ts";
import { acceptTasks, renewLeases } from "./accept_tasks.ts";
import type { HeldLease } from "./accept_tasks.ts";
import { claimTasks } from "./claim_tasks.ts";
import type { ClaimedTask, FreeSlots } from "./claim_tasks.ts";
import { finishAndHandOn, finishTasks } from "./finish_tasks.ts";
import type { Finished, TaskResult } from "./finish_tasks.ts";
import { readCancels } from "./read_cancels.ts";
import type { WantedCancel } from "./read_cancels.ts";
import { readHeld } from "./read_held.ts";
import { reapTasks } from "./reap_tasks.ts";
import type { ReapOptions } from "./reap_tasks.ts";

export interface TaskStore {
  /** Each is what the verb of the same name says; each is one transaction. */
  claimTasks(agents: FreeSlots[], leaseSeconds: number): Promise<ClaimedTask[]>;
  acceptTasks(leases: readonly HeldLease[]): Promise<string[]>;
  renewLeases(leases: readonly HeldLease[], leaseSeconds: number): Promise<string[]>;
  finishTasks(results: readonly TaskResult[], chance: Chance): Promise<string[]>;
  finishAndHandOn(
    results: readonly TaskResult[],
    chance: Chance,
    agents: readonly FreeSlots[],
    leaseSeconds: number,
  ): Promise<Finished>;
  appendChunks(chunks: readonly NewChunk[]): Promise<LogPosition[]>;
  reapTasks(options: ReapOptions): Promise<number>;
  readCancels(agentIds: readonly string[]): Promise<WantedCancel[]>;
  readHeld(agentIds: readonly string[]): Promise<{ id: string; fence: number }[]>;
  readAgentIdentity(id: string): Promise<AgentIdentity | undefined>;
  connectAgent(
    arrival: Arrival,
    options: { leaseSeconds: number; chance: Chance },
  ): Promise<Arrived | undefined>;
  connectIdle(arrivals: readonly Arrival[]): Promise<IdleArrival[]>;
  disconnectAgent(agentId: string, sessionId: string): Promise<void>;
  findReplaced(sessions: readonly { agentId: string; sessionId: string }[]): Promise<string[]>;
}

export const createTaskStore = (db: Database, options: { logCapBytes?: number } = {}): TaskStore => ({
  claimTasks: (agents, leaseSeconds) => claimTasks(db, agents, leaseSeconds),
  acceptTasks: (leases) => acceptTasks(db, leases),
  renewLeases: (leases, leaseSeconds) => renewLeases(db, leases, leaseSeconds),
  finishTasks: (results, chance) => finishTasks(db, results, chance),
  finishAndHandOn: (results, chance, agents, leaseSeconds) =>
    finishAndHandOn(db, results, chance, agents, leaseSeconds),
  appendChunks: (chunks) => appendChunks(db, chunks, options.logCapBytes),
  reapTasks: (options) => reapTasks(db, options),
  readCancels: (agentIds) => readCancels(db, agentIds),
  readHeld: (agentIds) => readHeld(db, agentIds),
  readAgentIdentity: (id) => readAgentIdentity(db, id),
  connectAgent: (arrival, options) => connectAgent(db, arrival, options),
  connectIdle: (arrivals) => connectIdle(db, arrivals),
  disconnectAgent: (agentId, sessionId) => disconnectAgent(db, agentId, sessionId),
  findReplaced: (sessions) => findReplaced(db, sessions),
});
