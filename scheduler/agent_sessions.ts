import { CLOSE } from "../protocol/agent_messages.ts";
import type { ToAgent } from "../protocol/agent_messages.ts";
import type { HeldLease } from "../db/tasks/accept_tasks.ts";
import type { FreeSlots } from "../db/tasks/claim_tasks.ts";

/** One agent that is connected to this master, has proved who it is, and was welcomed. */
export interface Session {
  id: string;
  agentId: string;
  name: string;
  projectId: string;
  kind: string;
  /** base64url raw X25519; null for one inside this process, whose link no one else can read. */
  sealingKey: string | null;
  slots: number;
  cordoned: boolean;
  /** The version of the protocol agreed on. */
  protocol: number;
  /** Of the process at the other end; another process with the same identity has another. */
  instance: string;
  /** Where the connection came from; null within this process. */
  ip: string | null;
  /** The request for new keys that was sent on it, and what was offered for it. */
  keysAsked?: { requestId: string; at: number; publicKey?: string } | undefined;
  isDraining: boolean;
  /** What it said of leases that were never its own. */
  trespasses: Set<string>;
  /** Tasks it holds, so that it is never handed more than it has room for. task -> fence */
  held: Map<string, number>;
  /** Cancels that were sent on this session already: task:fence. */
  cancelsSent: Set<string>;
  send(...messages: ToAgent[]): void;
  /** Whether its other end answers now; false also where that cannot be asked. */
  answers(): Promise<boolean>;
  close(code: number, reason: string): void;
}

/** Who is connected to this master. */
export interface Sessions {
  add(session: Session): void;
  /** Only if it is still the agent's session: a newer one stays. */
  remove(session: Session): void;
  byAgent(agentId: string): Session | undefined;
  all(): Session[];
  /** @param ending leases whose ends are being written: their agents have room already */
  free(ending?: readonly HeldLease[]): FreeSlots[];
  closeAll(code: number, reason: string): void;
}

export function createSessions(): Sessions {
  const byAgent = new Map<string, Session>();
  return {
    add(session) {
      // The newest connection is the real one: the older may be half open, and must not lock its agent out.
      byAgent.get(session.agentId)?.close(CLOSE.replaced, "a newer connection of this agent took its place");
      byAgent.set(session.agentId, session);
    },
    remove(session) {
      if (byAgent.get(session.agentId) === session) byAgent.delete(session.agentId);
    },
    byAgent: (id) => byAgent.get(id),
    all: () => [...byAgent.values()],
    free(ending = []) {
      const leaving = new Map<string, number>();
      for (const { agentId, taskId, fence } of ending) {
        const isHeld = byAgent.get(agentId)?.held.get(taskId) === fence;
        if (isHeld) leaving.set(agentId, (leaving.get(agentId) ?? 0) + 1);
      }
      return [...byAgent.values()].filter((s) => !s.cordoned).map((s) => ({
        agentId: s.agentId,
        agentName: s.name,
        free: s.slots - s.held.size + (leaving.get(s.agentId) ?? 0),
        sessionId: s.id,
      })).filter((s) => s.free > 0);
    },
    closeAll(code, reason) {
      for (const session of [...byAgent.values()]) session.close(code, reason);
      byAgent.clear();
    },
  };
}
