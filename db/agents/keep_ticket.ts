import type { Database } from "../database.ts";

/** The agent has this connection's ticket on its disk: the one before opens nothing any more. */
export async function keepTicket(db: Database, agentId: string, sessionId: string): Promise<void> {
  await db.sql`
    update agent set previous_ticket = null where id = ${agentId} and session_id = ${sessionId} and previous_ticket is not null`;
}
