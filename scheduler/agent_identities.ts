/**
 * What changes about an agent's identity while it is connected, and what somebody does with it who is not that agent.
 *
 *   keys:    wanted -> key.rotate --key.offer, signed twice--> recorded -> key.recorded --key.confirm--> the old are refused
 *   ticket:  each welcome brings one --ticket.kept--> only a hello that shows it is believed
 *
 * A crash anywhere leaves the agent a key and a ticket that are believed: the ones before until the new ones were
 * confirmed, and the new ones since before they were sent.
 */
import type { AgentIdentity } from "../db/agents/read_agent_identity.ts";
import type { AgentNote } from "../db/agents/note_agent.ts";
import { signedOffer } from "../protocol/agent_messages.ts";
import type { FromAgent, ToAgent } from "../protocol/agent_messages.ts";
import type { Session } from "./agent_sessions.ts";
import type { CoreDeps } from "./deps.ts";
import { isSignedBy } from "./check_signature.ts";

type Of<T extends FromAgent["type"]> = Extract<FromAgent, { type: T }>;
const refused = (requestId: string, reason: string): ToAgent => ({ type: "key.refused", requestId, reason });

/** An agent that did not answer within this is asked again. */
const ASK_AGAIN_MS = 60_000;
/** Leases of others that one connection may name before it is closed. */
const MAX_TRESPASSES = 20;
/** A copy dials again and again: it is written down once in this time. */
const NOTE_AGAIN_MS = 10 * 60_000;

export function createAgentIdentities(deps: CoreDeps) {
  /** What was noted lately: action and agent -> monotonic moment. */
  const noted = new Map<string, number>();

  async function note(agent: Omit<AgentNote, "action" | "detail">, action: string, detail: Record<string, unknown>) {
    const key = `${action}:${agent.agentId}:${agent.ip}`;
    const now = deps.clock.monotonic();
    for (const [old, at] of noted) if (now - at > NOTE_AGAIN_MS) noted.delete(old);
    if (noted.has(key)) return;
    noted.set(key, now);
    const { agentId, name, projectId, ip } = agent;
    await deps.identities?.noteAgent({ agentId, name, projectId, ip, action, detail });
    deps.hints.announce("events");
  }

  return {
    note,
    /** Asks for new keys, unless it was asked just now or speaks a version without them. */
    askForKeys(session: Session): void {
      if (session.protocol < 2) return;
      const now = deps.clock.monotonic();
      if (session.keysAsked && now - session.keysAsked.at < ASK_AGAIN_MS) return;
      session.keysAsked = { requestId: deps.newId(), at: now };
      session.send({ type: "key.rotate", requestId: session.keysAsked.requestId });
    },

    async offered(session: Session, message: Of<"key.offer">): Promise<void> {
      const { requestId, publicKey, sealingKey } = message;
      const agent = await deps.store.readAgentIdentity(session.agentId);
      if (!deps.identities || !agent?.publicKey || session.keysAsked?.requestId !== requestId) {
        return session.send(refused(requestId, "nobody asked for it"));
      }
      const bytes = signedOffer(requestId, session.agentId, deps.masterId, { publicKey, sealingKey });
      const signer = await whoSigned(agent, bytes, message.signature);
      if (!signer || !await isSignedBy(publicKey, bytes, message.newSignature)) {
        await note({ ...session, ip: session.ip }, "agent.key_refused", { publicKey });
        return session.send(refused(requestId, "a signature is wrong"));
      }
      // It uses what it offered before, and the confirmation was lost: that was the old key of this offer.
      if (signer !== agent.publicKey) await deps.identities.takeOfferedKeys(session.agentId, signer);
      if (!await deps.identities.recordOffer(session.agentId, { publicKey, sealingKey })) {
        return session.send(refused(requestId, "this agent was revoked"));
      }
      session.keysAsked = { ...session.keysAsked, publicKey };
      session.send({ type: "key.recorded", requestId });
    },

    async confirmed(session: Session, { requestId }: Of<"key.confirm">): Promise<void> {
      const asked = session.keysAsked;
      if (asked?.requestId !== requestId || !asked.publicKey) return;
      const sealingKey = await deps.identities?.takeOfferedKeys(session.agentId, asked.publicKey);
      session.keysAsked = undefined;
      if (!sealingKey) return;
      session.sealingKey = sealingKey;
      deps.logger.log("INFO", "an agent has new keys", { agent: session.name });
      deps.hints.announce("events");
      deps.hints.announce("agents", session.agentId); // whoever else holds a connection of it
    },

    /** These leases were not believed. Late words are no offence; words about what was never its own are. */
    async refusedLeases(
      session: Session,
      what: "renew" | "log" | "result",
      leases: readonly { taskId: string; fence: number }[],
    ): Promise<void> {
      if (!deps.identities || leases.length === 0) return;
      const found = await deps.identities.findTrespasses(session.agentId, leases);
      for (const { taskId, fence } of found) {
        const key = `${what}:${taskId}:${fence}`;
        if (session.trespasses.has(key)) continue;
        session.trespasses.add(key);
        const { agentId, name, projectId, ip } = session;
        const detail = { what, taskId, fence };
        await deps.identities.noteAgent({ agentId, name, projectId, ip, action: "agent.trespass", detail });
        deps.logger.log("WARN", "an agent spoke of a task that was never its own", { agent: name, ...detail });
        if (session.trespasses.size >= MAX_TRESPASSES) return session.close(1008, "these tasks are not this agent's");
      }
    },
  };
}
export type AgentIdentities = ReturnType<typeof createAgentIdentities>;

/** @returns the public key of the agent that made this signature: the present one, or the one it has offered */
export async function whoSigned(
  agent: AgentIdentity,
  bytes: Uint8Array,
  signature: string,
): Promise<string | undefined> {
  for (const key of [agent.publicKey, agent.nextPublicKey]) {
    if (key && await isSignedBy(key, bytes, signature)) return key;
  }
  return undefined;
}
