/**
 * A machine trades its join token for an identity. The token's use, the agent, the event and the audit row are one
 * transaction; the row of the token is locked by the first of many, so one use makes one agent.
 */
import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { EnrollRequest } from "../../protocol/agent_messages.ts";
import { recordAudit } from "../audit/record_audit.ts";
import type { Actor } from "../database.ts";
import { hashJoinToken } from "../enrollment/join_token.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import type { AgentDeps } from "./change_agent.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;
interface SpentToken {
  id: string;
  projectId: string;
  kind: string;
  labels: Record<string, string>;
  environmentIds: string[];
  approveFirst: boolean;
}
/** Whoever holds a token must not be able to take the place of a machine that is there: what is refused, and its sentence. */
const TAKEN = {
  id: "the master gives an agent its id; none can be asked for",
  key: "this key is another agent's; enrol with an empty state folder",
  name: "the name is taken",
} as const;
type Ending = "enrolled" | "refused" | keyof typeof TAKEN;

/** @throws AppError unauthenticated (the token), invalid or conflict (the name) */
export async function enrollAgent(
  deps: AgentDeps,
  request: EnrollRequest,
  ip: string | null,
): Promise<{ agentId: string; name: string }> {
  const { db, hints } = deps;
  const { name } = request;
  if (!NAME.test(name)) {
    throw new AppError(
      "invalid",
      "agent.name",
      "An agent's name has letters, digits, dots, dashes and underscores only.",
    );
  }
  const hash = await hashJoinToken(request.token);
  const agentId = db.newId();
  const outcome = await inTransaction(db, async (tx): Promise<Ending> => {
    const [token] = await tx<SpentToken[]>`
      update enrollment_token set uses_left = uses_left - 1
      where hash = ${hash} and uses_left > 0 and expires_at > boreas_now() and kind = ${request.kind ?? "agent"}
      returning id, project_id, kind, labels, environment_ids, approve_first`;
    if (!token) return "refused";
    const actor: Actor = {
      userId: null,
      name: `enrollment token ${token.id}`,
      role: "agent",
      ip,
      projectId: token.projectId,
    };
    const refuse = async (what: keyof typeof TAKEN) => {
      await tx`update enrollment_token set uses_left = uses_left + 1 where id = ${token.id}`; // the use is given back
      await recordAudit(db, tx, actor, "agent.enroll_refused", `enrollment-token:${token.id}`, {
        name,
        why: TAKEN[what],
      });
      return what;
    };
    if (request.agentId !== undefined) return await refuse("id");
    const [sameKey] = await tx`
      select id from agent where ${request.publicKey} in (public_key, next_public_key) limit 1`;
    if (sameKey) return await refuse("key");
    // The name of a revoked machine is free again; what it did keeps pointing to its row.
    await tx`update agent set name = name || '~' || right(id::text, 8)
      where project_id = ${token.projectId} and name = ${name} and status = 'revoked'`;
    const said = reason("agent.never_connected");
    const [made] = await tx`
      insert into agent (id, project_id, name, kind, public_key, sealing_key, labels, facts, status, reason,
        awaits_approval, created_by)
      values (${agentId}, ${token.projectId}, ${name}, ${token.kind}, ${request.publicKey}, ${request.sealingKey},
        ${tx.json(token.labels)}, ${tx.json(request.facts as never)}, 'disconnected', ${
      tx.json(said as never)
    }, ${token.approveFirst}, ${actor.name})
      on conflict (project_id, name) do nothing returning id`;
    if (!made) return await refuse("name");
    // An environment that was deleted since the token was made is passed over.
    await tx`insert into agent_environment (agent_id, environment_id)
      select ${agentId}, id from environment
      where id = any(${token.environmentIds}::uuid[]) and project_id = ${token.projectId}`;
    await recordEvents(tx, [{
      topic: "agent",
      projectId: token.projectId,
      subjectId: agentId,
      kind: "agent.enrolled",
      data: { name, reason: said },
    }]);
    await recordAudit(db, tx, actor, "agent.enroll", `agent:${agentId}`, { name });
    return "enrolled";
  });
  if (outcome === "refused") {
    throw new AppError(
      "unauthenticated",
      "enroll.token",
      "This join token is unknown, expired or used up; ask an admin for a new one.",
    );
  }
  if (outcome === "id" || outcome === "key") {
    throw new AppError("conflict", `agent.${outcome}_taken`, `The enrolment is refused: ${TAKEN[outcome]}.`);
  }
  if (outcome === "name") {
    throw new AppError(
      "conflict",
      "agent.name_taken",
      `There is an agent called ${name} already; choose another name (BOREAS_NAME), or revoke that one first.`,
    );
  }
  hints.announce("events");
  return { agentId, name };
}
