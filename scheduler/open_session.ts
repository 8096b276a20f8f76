/**
 * From a hello that is signed rightly to a session.
 *
 *   signed --ticket known--> [another process of it is there and answers -> refused] -> older connection out -> let in
 *      '--no right ticket -> refused: a copy, or the real one after a copy was let in; a person decides
 *
 * A crash leaves nothing: who was not welcomed dials again, and shows the ticket it has.
 */
import type { AgentIdentity } from "../db/agents/read_agent_identity.ts";
import { CLOSE } from "../protocol/agent_messages.ts";
import type { ToAgent } from "../protocol/agent_messages.ts";
import type { Admission, Hello } from "./admit_agent.ts";
import type { AgentIdentities } from "./agent_identities.ts";
import type { Session, Sessions } from "./agent_sessions.ts";
import type { createArrivals } from "./arrivals.ts";
import type { CoreDeps } from "./deps.ts";
import { findShown, makeTicket } from "./tickets.ts";

export interface Doorway {
  deps: CoreDeps;
  sessions: Sessions;
  arrive: ReturnType<typeof createArrivals>;
  identities: AgentIdentities;
}
/** The connection that somebody wants to come in by. */
export interface Door {
  ip: string | null;
  send(...messages: ToAgent[]): void;
  answers(): Promise<boolean>;
  close(code: number, reason: string): void;
}

export async function openSession(
  doorway: Doorway,
  hello: Hello,
  admission: Admission,
  door: Door,
): Promise<{ session: Session; welcome: ToAgent } | undefined> {
  const { deps, sessions } = doorway;
  if (!admission.admitted) {
    deps.logger.log("WARN", "an agent was refused", { agentId: hello.agentId, reason: admission.reason });
    return void door.close(admission.code, admission.reason);
  }
  const { agent, protocol, signedBy } = admission;
  const shown = signedBy === null ? null : await checkTicket(doorway, hello, agent, protocol, door);
  if (shown === undefined) return;
  let { sealingKey } = agent;
  if (signedBy !== null && signedBy !== agent.publicKey) {
    sealingKey = await deps.identities?.takeOfferedKeys(agent.id, signedBy) ?? sealingKey;
  }
  // First out with an older session, so that nothing is claimed for it while the two are reconciled.
  sessions.byAgent(agent.id)?.close(CLOSE.replaced, "a newer connection of this agent took its place");
  const sessionId = deps.newId();
  const ticket = signedBy !== null && protocol >= 2 && deps.identities ? await makeTicket() : undefined;
  const arrived = await doorway.arrive({
    agentId: agent.id,
    sessionId,
    slots: hello.slots,
    facts: hello.facts,
    versions: hello.versions,
    resumes: hello.resumes,
    seen: agent.arrivals,
    ...(ticket ? { ticket: { next: ticket.hash, shown } } : {}),
  });
  if ("refused" in arrived) return void door.close(arrived.refused.code, arrived.refused.reason);
  if (hello.upgrade) await deps.upgrades?.note(agent.id, hello.upgrade);
  const held = arrived.verdicts.filter((v) => v.verdict !== "abort").map((v) => [v.taskId, v.fence] as const);
  deps.logger.log("INFO", "agent connected", { agent: agent.name, slots: hello.slots, resumed: held.length });
  const session: Session = {
    id: sessionId,
    agentId: agent.id,
    name: agent.name,
    projectId: agent.projectId,
    kind: agent.kind,
    sealingKey,
    slots: hello.slots,
    cordoned: arrived.cordoned,
    protocol,
    instance: hello.instance ?? "",
    ip: door.ip,
    isDraining: false,
    trespasses: new Set(),
    held: new Map(held),
    cancelsSent: new Set(),
    send: door.send,
    answers: door.answers,
    close: door.close,
  };
  return {
    session,
    welcome: {
      type: "agent.welcome",
      sessionId,
      protocol,
      leaseSeconds: deps.leaseSeconds,
      resumes: arrived.verdicts,
      ...(ticket ? { ticket: ticket.text } : {}),
      ...(deps.upgrades?.releaseKey ? { releaseKey: deps.upgrades.releaseKey } : {}),
    },
  };
}

/**
 * Two machines with one identity are told apart by what only one of them can know, or by both being there.
 * @returns the hash of the ticket that was shown, null when none is asked for; undefined when the door was closed
 */
async function checkTicket(
  { sessions, identities }: Doorway,
  hello: Hello,
  agent: AgentIdentity,
  protocol: number,
  door: Door,
): Promise<string | null | undefined> {
  const who = { agentId: agent.id, name: agent.name, projectId: agent.projectId, ip: door.ip };
  const machine = typeof hello.facts.machineId === "string" ? hello.facts.machineId : null;
  const where = { hostname: hello.facts.hostname, machineId: machine };
  const there = sessions.byAgent(agent.id);
  const isAnother = there && there.instance !== "" && (hello.instance ?? "") !== there.instance;
  if (isAnother && await there.answers()) {
    await identities.note(who, "agent.copy_refused", {
      why: "another process with this identity is connected",
      ...where,
    });
    return void door.close(CLOSE.copied, "another process with this identity is connected and answers");
  }
  const shown = await findShown(agent, hello.tickets ?? []);
  if (shown === undefined && protocol >= 2) {
    await identities.note(who, "agent.copy_refused", { why: "it does not have the last ticket", ...where });
    return void door.close(
      CLOSE.copied,
      "another process has connected with this identity since; revoke it and enrol again",
    );
  }
  // An agent of the version before knows of no tickets; it may have taken the place of a newer one that failed.
  if (shown === undefined) await identities.note(who, "agent.without_ticket", where);
  if (machine !== null && agent.machineId && agent.machineId !== machine) {
    await identities.note(who, "agent.moved", { from: agent.machineId, ...where });
  }
  return shown ?? null;
}
