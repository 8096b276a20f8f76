import postgres from "postgres";
import type { ConnectionTarget } from "../client.ts";

/** `busy`: a postmaster is there and will answer later (recovery after a crash, shutting down, no connection free). */
export type ServerState = "ready" | "busy" | "absent";

const CANNOT_CONNECT_NOW = "57P03";
const TOO_MANY_CONNECTIONS = "53300";

/**
 * Only a living postmaster accepts on the socket, whatever postmaster.pid says: so "absent" means that none runs, and
 * a process that merely got the number of a dead one cannot pass for it.
 */
export async function probeServer(connection: Exclude<ConnectionTarget, string>): Promise<ServerState> {
  const sql = postgres({ ...connection, max: 1, connect_timeout: 2, onnotice: () => {} });
  try {
    await sql`select 1`;
    return "ready";
  } catch (error: unknown) {
    const code = (error as { code?: string }).code;
    return code === CANNOT_CONNECT_NOW || code === TOO_MANY_CONNECTIONS || code === "CONNECT_TIMEOUT"
      ? "busy"
      : "absent";
  } finally {
    await sql.end({ timeout: 1 });
  }
}
