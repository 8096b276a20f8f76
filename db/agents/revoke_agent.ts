import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { Actor } from "../database.ts";
import { changeAgent } from "./change_agent.ts";
import type { AgentDeps } from "./change_agent.ts";

/**
 * Ends an agent's identity for good. The row stays, for the tasks that name it; whoever holds its socket closes it on
 * the hint, and its leases run out and are handed to others.
 */
export async function revokeAgent(deps: AgentDeps, id: string, actor: Actor): Promise<void> {
  await changeAgent(deps, id, actor, "agent.revoke", async (tx, agent) => {
    if (agent.embedded) {
      throw new AppError(
        "conflict",
        "agent.embedded",
        `${agent.name} lives inside the master and has no identity to revoke; cordon it, or change BOREAS_OPERATORS.`,
      );
    }
    const said = reason("agent.revoked", { actor: actor.name });
    await tx`update agent set status = 'revoked', session_id = null, reason = ${tx.json(said as never)},
      updated_at = boreas_now() where id = ${id}`;
    return { reason: said };
  });
}
