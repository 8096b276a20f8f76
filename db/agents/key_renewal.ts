/**
 * New keys of an agent, step by step; each step is one transaction, and after each there is a key that lets the agent in.
 *
 *   asked for (a person, or age) -> offered: old and new are believed --new used or confirmed--> the old is refused
 */
import { reason } from "../../domain/reason.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { agentActor } from "./note_agent.ts";

export interface OfferedKeys {
  publicKey: string;
  sealingKey: string;
}
interface Named {
  name: string;
  projectId: string;
}

/** An offer that was made before and never used is forgotten. @returns false when the agent is revoked */
export async function recordOffer(db: Database, agentId: string, keys: OfferedKeys): Promise<boolean> {
  return await inTransaction(db, async (tx) => {
    const [agent] = await tx<Named[]>`
      update agent set next_public_key = ${keys.publicKey}, next_sealing_key = ${keys.sealingKey}, updated_at = boreas_now()
      where id = ${agentId} and status <> 'revoked' and not embedded returning name, project_id`;
    if (!agent) return false;
    const detail = { name: agent.name, publicKey: keys.publicKey };
    await recordAudit(db, tx, agentActor(agent), "agent.key_offered", `agent:${agentId}`, detail);
    return true;
  });
}

/**
 * The offered keys were used, or confirmed over the connection on which they were offered: they are the agent's now.
 * @returns the key that secrets are sealed to from now on; undefined when this is no offer of the agent
 */
export async function takeOfferedKeys(db: Database, agentId: string, publicKey: string): Promise<string | undefined> {
  return await inTransaction(db, async (tx) => {
    const [agent] = await tx<(Named & { sealingKey: string })[]>`
      update agent set public_key = next_public_key, sealing_key = next_sealing_key, next_public_key = null,
        next_sealing_key = null, key_since = boreas_now(), rotate_wanted = false, updated_at = boreas_now()
      where id = ${agentId} and next_public_key = ${publicKey} and status <> 'revoked'
      returning name, project_id, sealing_key`;
    if (!agent) return undefined;
    await recordEvents(tx, [{
      topic: "agent",
      projectId: agent.projectId,
      subjectId: agentId,
      kind: "agent.key_renewed",
      data: { name: agent.name, reason: reason("agent.key_renewed") },
    }]);
    await recordAudit(db, tx, agentActor(agent), "agent.key_renewed", `agent:${agentId}`, {
      name: agent.name,
      publicKey,
    });
    return agent.sealingKey;
  });
}
