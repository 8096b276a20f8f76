import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database } from "../database.ts";
import { inTransaction } from "../retry.ts";

/** Who stands in the audit for what was done with an agent's key. */
export const agentActor = (agent: { name: string; projectId: string }, ip: string | null = null): Actor => ({
  userId: null,
  name: `agent ${agent.name}`,
  role: "agent",
  ip,
  projectId: agent.projectId,
});

export interface AgentNote {
  agentId: string;
  name: string;
  projectId: string;
  /** Where the connection came from, as this master saw it. */
  ip: string | null;
  /** `agent.copy_refused`, `agent.trespass`, ... */
  action: string;
  detail: Record<string, unknown>;
}

/** What somebody did, or tried, with an agent's key: for the audit alone, nothing else changes. */
export async function noteAgent(db: Database, { agentId, action, detail, ip, ...agent }: AgentNote): Promise<void> {
  await inTransaction(
    db,
    (tx) => recordAudit(db, tx, agentActor(agent, ip), action, `agent:${agentId}`, { name: agent.name, ...detail }),
  );
}
