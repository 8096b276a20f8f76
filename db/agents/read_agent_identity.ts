import type { Database } from "../database.ts";

export interface AgentIdentity {
  id: string;
  name: string;
  projectId: string;
  kind: string;
  embedded: boolean;
  publicKey: string | null;
  sealingKey: string | null;
  status: "connected" | "disconnected" | "revoked";
  /** Nothing new is handed to it: cordoned, being emptied, or not approved yet. */
  cordoned: boolean;
  /** Offered by it, and good for a hello until the present one is replaced. */
  nextPublicKey?: string | null;
  /** SHA-256 in hex of the last welcome's ticket, and of the one it showed then. */
  ticket?: string | null;
  previousTicket?: string | null;
  /** As its last hello said. */
  machineId?: string | null;
  /** How often it was let in. */
  arrivals: number;
}

/** What a gateway must know to let an agent in. */
export async function readAgentIdentity(db: Database, id: string): Promise<AgentIdentity | undefined> {
  const [row] = await db.sql<AgentIdentity[]>`
    select id, name, project_id, kind, embedded, public_key, sealing_key, status, cordoned or awaits_approval as cordoned,
      next_public_key, encode(ticket, 'hex') as ticket, encode(previous_ticket, 'hex') as previous_ticket,
      facts ->> 'machineId' as machine_id, arrivals from agent where id = ${id}`;
  return row;
}

/** Agents of one statement: it holds their rows for some milliseconds, and whoever connects just then waits for it. */
const BATCH = 1000;

/** Notes that these agents were heard of: one write for many, however many there are. */
export async function touchAgents(db: Database, ids: readonly string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += BATCH) {
    await db.sql`
      update agent set last_seen_at = boreas_now() where id in (
        select id from agent where id = any(${ids.slice(at, at + BATCH)}::uuid[]) order by id for update skip locked)`;
  }
}
