import type { Database } from "../database.ts";

/**
 * Which of these connections are not their agent's any more, as the database has it: another one was noted after them,
 * or the end of another one. Nothing is handed out on such a connection.
 * @returns the ids of those sessions
 */
export async function findReplaced(
  db: Database,
  sessions: readonly { agentId: string; sessionId: string }[],
): Promise<string[]> {
  const rows = await db.sql<{ sessionId: string }[]>`
    select s.session_id from unnest(${sessions.map((s) => s.agentId)}::uuid[], ${
    sessions.map((s) => s.sessionId)
  }::uuid[]) as s(agent_id, session_id) left join agent a on a.id = s.agent_id
    where a.session_id is distinct from s.session_id`;
  return rows.map((row) => row.sessionId);
}
