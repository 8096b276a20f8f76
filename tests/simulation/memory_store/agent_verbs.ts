/** Who is connected and what they hold: `db/agents/connect_agent.ts`, `disconnect_agent.ts`, and the readers beside them. */
import type { Arrival, Arrived, Verdict } from "../../../db/agents/connect_agent.ts";
import type { IdleArrival } from "../../../db/agents/connect_idle.ts";
import type { AgentIdentity } from "../../../db/agents/read_agent_identity.ts";
import { DEFAULT_PROJECT } from "../../../db/database.ts";
import type { WantedCancel } from "../../../db/tasks/read_cancels.ts";
import type { Chance } from "../../../domain/ports.ts";
import { loseTasks } from "./ending_verbs.ts";
import { moveDeployments } from "./settling.ts";
import { byId, bytesOf, isHeld } from "./tables.ts";
import type { Tables, TaskRow } from "./tables.ts";

export function connectAgent(
  tables: Tables,
  arrival: Arrival,
  options: { leaseSeconds: number; chance: Chance },
): Arrived | undefined {
  const agent = tables.agents.get(arrival.agentId);
  if (!agent) return undefined;
  if (!isPresent(agent, arrival)) return { verdicts: [], name: "", cordoned: false, isSuperseded: true };
  agent.sessionId = arrival.sessionId;
  agent.arrivals++;
  const confirmed = new Set<TaskRow>();
  const verdicts = arrival.resumes.map(({ taskId, fence, state }): Verdict => {
    const task = tables.tasks.get(taskId);
    const known = task?.lastAgentId === agent.id;
    const mine = known && (task.fence === fence || !tables.guards.fence);
    const holds = mine && task.agentId === agent.id && isHeld(task);
    if (holds) confirmed.add(task);
    // A result of an attempt that has ended is sent again all the same: the answer lets the agent drop it.
    const verdict = state === "finished" && mine ? "send_result" : holds ? "continue" : "abort";
    return { taskId, fence, verdict, logOffset: known ? bytesOf(tables, task) : 0 };
  });
  for (const task of confirmed) task.leaseExpiresAt = tables.now() + options.leaseSeconds * 1000;
  const lost = heldBy(tables, [agent.id]).filter((task) => !confirmed.has(task)).sort(byId);
  const touched = arrival.resumes.flatMap(({ taskId }) => tables.tasks.get(taskId) ?? []);
  loseTasks(tables, lost, agent.embedded ? "task.master_restarted" : "task.agent_lost_it", options.chance);
  moveDeployments(tables, [...lost, ...touched].map((task) => task.deploymentId));
  return { verdicts, name: agent.name, cordoned: false };
}

/** `db/agents/connect_idle.ts`. */
export function connectIdle(tables: Tables, arrivals: readonly Arrival[]): IdleArrival[] {
  return arrivals.flatMap((arrival) => {
    const agent = tables.agents.get(arrival.agentId);
    if (!agent || !isPresent(agent, arrival) || heldBy(tables, [agent.id]).length > 0) return [];
    agent.sessionId = arrival.sessionId;
    agent.arrivals++;
    return [{ agentId: agent.id, name: agent.name, cordoned: false }];
  });
}

/** Nobody else of this agent was let in since its hello was read. */
const isPresent = (agent: { arrivals: number }, { seen }: Arrival) => seen === undefined || seen === agent.arrivals;

export function disconnectAgent(tables: Tables, agentId: string, sessionId: string): void {
  const agent = tables.agents.get(agentId);
  if (agent?.sessionId === sessionId) agent.sessionId = null;
}

export function readAgentIdentity(tables: Tables, id: string): AgentIdentity | undefined {
  const agent = tables.agents.get(id);
  if (!agent) return undefined;
  const { name, embedded, sessionId, arrivals } = agent;
  const keys = { publicKey: null, sealingKey: null };
  const status = sessionId === null ? "disconnected" : "connected";
  return { id, name, projectId: DEFAULT_PROJECT, kind: "agent", embedded, ...keys, status, cordoned: false, arrivals };
}

export const findReplaced = (
  tables: Tables,
  sessions: readonly { agentId: string; sessionId: string }[],
): string[] =>
  sessions.map((s) => s.sessionId).filter((id, n) => tables.agents.get(sessions[n]!.agentId)?.sessionId !== id);

const heldBy = (tables: Tables, agentIds: readonly string[]) =>
  [...tables.tasks.values()].filter((task) => task.agentId !== null && agentIds.includes(task.agentId));

export const readHeld = (tables: Tables, agentIds: readonly string[]): { id: string; fence: number }[] =>
  heldBy(tables, agentIds).map(({ id, fence }) => ({ id, fence }));

export const readCancels = (tables: Tables, agentIds: readonly string[]): WantedCancel[] =>
  heldBy(tables, agentIds).filter((task) => task.state === "cancelling").map(({ id, fence, agentId, deploymentId }) => {
    const whole = tables.deployments.get(deploymentId)!.status === "cancelling";
    return { id, fence, agentId: agentId!, reason: whole ? "Cancelled by ada." : "A person cancelled this task." };
  });
