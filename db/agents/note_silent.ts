import { reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";

/**
 * Agents that count as connected though nobody heard of them for so long: the master that held their socket ended
 * without a word. They are disconnected, as if it had said so; a socket that lives after all brings them back by dialling.
 * @returns how many
 */
export async function noteSilentAgents(db: Database, silentSeconds: number): Promise<number> {
  const said = reason("agent.silent", { seconds: silentSeconds });
  return await inTransaction(db, async (tx) => {
    const rows = await tx<{ id: string; name: string; projectId: string }[]>`
      update agent set status = 'disconnected', session_id = null, reason = ${
      tx.json(said as never)
    }, updated_at = boreas_now()
      where status = 'connected' and last_seen_at < boreas_now() - make_interval(secs => ${silentSeconds})
      returning id, name, project_id`;
    await recordEvents(
      tx,
      rows.map(({ id, name, projectId }) => ({
        topic: "agent" as const,
        projectId,
        subjectId: id,
        kind: "agent.disconnected",
        data: { name, reason: said },
      })),
    );
    return rows.length;
  });
}
