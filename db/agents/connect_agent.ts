/**
 * An agent has proved who it is and said what it still holds. In one transaction: it is connected, and every task that
 * the database believes it holds is either confirmed, or taken back because the agent no longer knows it.
 */
import { reason } from "../../domain/reason.ts";
import type { Chance } from "../../domain/ports.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { Database } from "../database.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { loseTasks } from "../tasks/lose_tasks.ts";
import type { LostTask } from "../tasks/lose_tasks.ts";
import { lockDeployments } from "../tasks/settle_tasks.ts";

export interface Resume {
  taskId: string;
  fence: number;
  state: "running" | "suspended" | "finished";
}
export interface Verdict {
  taskId: string;
  fence: number;
  verdict: "continue" | "abort" | "send_result";
  /** Bytes of its log that are durable. */
  logOffset: number;
}
export interface Arrival {
  agentId: string;
  sessionId: string;
  slots: number;
  facts: Record<string, unknown>;
  versions: Record<string, string>;
  resumes: readonly Resume[];
  /** SHA-256 in hex: of the ticket that this welcome brings, and of the one that was shown for it. */
  ticket?: { next: string; shown: string | null };
  /** The agent's `arrivals` when its hello was read; without it, the last one to be written counts. */
  seen?: number;
}
export interface Arrived {
  verdicts: Verdict[];
  name: string;
  cordoned: boolean;
  /** Another connection of the agent was let in since its hello was read; this one changed nothing. */
  isSuperseded?: boolean;
}
interface HeldRow extends LostTask {
  fence: number;
  bytes: number;
}

/** @returns undefined when the agent is revoked or unknown */
export async function connectAgent(
  db: Database,
  arrival: Arrival,
  options: { leaseSeconds: number; chance: Chance },
): Promise<Arrived | undefined> {
  return await inTransaction(db, async (tx) => {
    const held = await tx<{ id: string }[]>`select id from task where agent_id = ${arrival.agentId}`;
    const deployments = await lockDeployments(tx, [...held.map((h) => h.id), ...arrival.resumes.map((r) => r.taskId)]);
    const said = reason("agent.connected");
    const [known] = await tx<{ arrivals: number }[]>`
      select arrivals from agent where id = ${arrival.agentId} and status <> 'revoked' for update`;
    if (!known) return undefined;
    // A slow arrival must not take back what a newer connection was given meanwhile: its hello does not name that.
    const isSuperseded = arrival.seen !== undefined && known.arrivals !== arrival.seen;
    if (isSuperseded) return { verdicts: [], name: "", cordoned: false, isSuperseded };
    const [agent] = await tx<{ name: string; projectId: string; cordoned: boolean; embedded: boolean }[]>`
      update agent set status = 'connected', session_id = ${arrival.sessionId}, slots = ${arrival.slots}, facts = ${
      tx.json(arrival.facts as never)
    },
        versions = ${tx.json(arrival.versions)}, reason = ${
      tx.json(said as never)
    }, last_seen_at = boreas_now(), updated_at = boreas_now(),
        arrivals = arrivals + 1, ticket = decode(${arrival.ticket?.next ?? null}, 'hex'),
        previous_ticket = decode(${arrival.ticket?.shown ?? null}, 'hex')
      where id = ${arrival.agentId} and status <> 'revoked'
      returning name, project_id, cordoned or awaits_approval as cordoned, embedded`;
    if (!agent) return undefined;
    const tasks = await tx<HeldRow[]>`
      select t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason, t.attempt, t.losses, t.fence, ${agent.name} as agent,
        coalesce((select h.bytes from log_head h where h.task_id = t.id and h.attempt = t.attempt), 0) as bytes
      from task t where t.agent_id = ${arrival.agentId} or t.last_agent_id = ${arrival.agentId} and t.id = any(${
      arrival.resumes.map((r) => r.taskId)
    }::uuid[]) order by t.id for update`;
    const mentioned = new Map(tasks.map((t) => [t.id, t]));
    const confirmed = new Set<string>();
    const verdicts = arrival.resumes.map((resume): Verdict => {
      const task = mentioned.get(resume.taskId);
      const mine = task && task.fence === resume.fence;
      const holds = mine && isHeld(task.state);
      if (holds) confirmed.add(task.id);
      // A result of an attempt that has ended is sent again all the same: the answer lets the agent drop it.
      const verdict = resume.state === "finished" && mine ? "send_result" : holds ? "continue" : "abort";
      return { taskId: resume.taskId, fence: resume.fence, verdict, logOffset: task?.bytes ?? 0 };
    });
    await tx`update task set lease_expires_at = boreas_now() + make_interval(secs => ${options.leaseSeconds}) where id = any(${[
      ...confirmed,
    ]}::uuid[])`;
    const lost = tasks.filter((t) => isHeld(t.state) && !confirmed.has(t.id) && held.some((h) => h.id === t.id));
    const code = agent.embedded ? "task.master_restarted" : "task.agent_lost_it";
    await loseTasks(
      tx,
      lost,
      (t) => reason(code, { agent: agent.name, attempt: t.attempt, next: t.attempt + 1 }),
      options.chance,
    );
    await recordEvents(tx, [{
      topic: "agent",
      projectId: agent.projectId,
      subjectId: arrival.agentId,
      kind: "agent.connected",
      data: { name: agent.name, reason: said },
    }]);
    await moveDeployments(db, tx, deployments);
    return { verdicts, name: agent.name, cordoned: agent.cordoned };
  });
}

const isHeld = (state: TaskState) => state === "leased" || state === "running" || state === "cancelling";
