import { AppError } from "../../domain/app_error.ts";
import type { Reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor, Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import type { Hints } from "../hints.ts";
import { inTransaction } from "../retry.ts";

export interface AgentDeps {
  db: Database;
  hints: Hints;
}
export interface LockedAgent {
  id: string;
  name: string;
  status: "connected" | "disconnected" | "revoked";
  embedded: boolean;
  cordoned: boolean;
  reason: Reason;
}

/** What every act upon an agent has in common: the lock, the event, the audit row, and the hints after the commit. */
export async function changeAgent(
  deps: AgentDeps,
  id: string,
  actor: Actor,
  kind: string,
  change: (tx: Tx, agent: LockedAgent) => Promise<{ reason?: Reason; detail?: Record<string, unknown> }>,
): Promise<void> {
  const { db, hints } = deps;
  await inTransaction(db, async (tx) => {
    const [agent] = await tx<LockedAgent[]>`
      select id, name, status, embedded, cordoned, reason from agent
      where id = ${id} and project_id = ${actor.projectId} for update`;
    if (!agent) throw new AppError("not_found", "agent.not_found", `There is no agent ${id} in this project.`);
    if (agent.status === "revoked") {
      throw new AppError("conflict", "agent.revoked", `${agent.name} is revoked; enrol the machine again.`);
    }
    const { reason = agent.reason, detail = {} } = await change(tx, agent);
    await recordEvents(tx, [{
      topic: "agent",
      projectId: actor.projectId,
      subjectId: id,
      kind,
      data: { name: agent.name, reason },
    }]);
    await recordAudit(db, tx, actor, kind, `agent:${id}`, { name: agent.name, ...detail });
  });
  hints.announce("events");
  hints.announce("agents", id);
  hints.announce("tasks");
}
