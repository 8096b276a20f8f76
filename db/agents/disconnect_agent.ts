import { reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";

/** Notes that a session is over, unless a newer one has taken its place. Leases go on: only time ends them. */
export async function disconnectAgent(db: Database, agentId: string, sessionId: string): Promise<void> {
  const said = reason("agent.disconnected");
  await inTransaction(db, async (tx) => {
    const rows = await tx<{ name: string; projectId: string }[]>`
      update agent set status = 'disconnected', session_id = null, reason = ${
      tx.json(said as never)
    }, last_seen_at = boreas_now(), updated_at = boreas_now()
      where id = ${agentId} and session_id = ${sessionId} and status = 'connected' returning name, project_id`;
    await recordEvents(
      tx,
      rows.map((r) => ({
        topic: "agent" as const,
        projectId: r.projectId,
        subjectId: agentId,
        kind: "agent.disconnected",
        data: { name: r.name, reason: said },
      })),
    );
  });
}
