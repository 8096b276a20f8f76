/** Who may come in: the signature over this connection's nonce, by the key that was registered at enrolment. */
import type { AgentIdentity } from "../db/agents/read_agent_identity.ts";
import { CLOSE, PROTOCOL, signedHello } from "../protocol/agent_messages.ts";
import type { FromAgent } from "../protocol/agent_messages.ts";
import { whoSigned } from "./agent_identities.ts";
import type { CoreDeps } from "./deps.ts";

export type Hello = Extract<FromAgent, { type: "agent.hello" }>;
export type Admission =
  | { admitted: true; agent: AgentIdentity; protocol: number; signedBy: string | null }
  | { admitted: false; code: number; reason: string };

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const refuse = (code: number, reason: string): Admission => ({ admitted: false, code, reason });

/** @param embeddedId the agent inside this process that the link belongs to: it needs no signature */
export async function admitAgent(
  deps: CoreDeps,
  hello: Hello,
  nonce: string,
  embeddedId: string | null,
): Promise<Admission> {
  const protocol = Math.min(PROTOCOL.max, hello.protocol.max);
  if (protocol < Math.max(PROTOCOL.min, hello.protocol.min)) {
    return refuse(
      CLOSE.noCommonProtocol,
      `this master speaks protocol ${PROTOCOL.min} to ${PROTOCOL.max}, the agent ${hello.protocol.min} to ${hello.protocol.max}; bring them within one version`,
    );
  }
  // One answer for an unknown agent and for a wrong signature: a stranger learns nothing.
  const stranger = refuse(CLOSE.unauthenticated, "unknown agent or wrong signature; enrol it again with a token");
  if (!UUID.test(hello.agentId)) return stranger;
  const agent = await deps.store.readAgentIdentity(hello.agentId);
  if (!agent) return stranger;
  if (embeddedId !== null) {
    return agent.embedded && agent.id === embeddedId ? { admitted: true, agent, protocol, signedBy: null } : stranger;
  }
  if (agent.embedded || !agent.publicKey) return stranger;
  const signedBy = await whoSigned(agent, signedHello(nonce, agent.id, deps.masterId), hello.signature);
  if (!signedBy) return stranger;
  if (agent.status === "revoked") {
    return refuse(CLOSE.revoked, "this agent was revoked; enrol it again with a new token");
  }
  return { admitted: true, agent, protocol, signedBy };
}
