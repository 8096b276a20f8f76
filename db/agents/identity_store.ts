/** What a gateway asks of the database about the identities of agents: one verb each. */
import type { Database } from "../database.ts";
import { findTrespasses } from "./find_trespasses.ts";
import { keepTicket } from "./keep_ticket.ts";
import { recordOffer, takeOfferedKeys } from "./key_renewal.ts";
import type { OfferedKeys } from "./key_renewal.ts";
import { noteAgent } from "./note_agent.ts";
import type { AgentNote } from "./note_agent.ts";
import { readStandings } from "./read_standings.ts";

/** @param keyDays keys that are older are renewed; 0 for never */
export const createIdentityStore = (db: Database, keyDays: number) => ({
  recordOffer: (agentId: string, keys: OfferedKeys) => recordOffer(db, agentId, keys),
  takeOfferedKeys: (agentId: string, publicKey: string) => takeOfferedKeys(db, agentId, publicKey),
  keepTicket: (agentId: string, sessionId: string) => keepTicket(db, agentId, sessionId),
  readStandings: (agentIds: readonly string[]) => readStandings(db, agentIds, keyDays),
  findTrespasses: (agentId: string, leases: readonly { taskId: string; fence: number }[]) =>
    findTrespasses(db, agentId, leases),
  noteAgent: (note: AgentNote) => noteAgent(db, note),
});
export type IdentityStore = ReturnType<typeof createIdentityStore>;
