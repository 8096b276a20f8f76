import { AppError } from "../../domain/app_error.ts";
import { reason } from "../../domain/reason.ts";
import type { Actor } from "../database.ts";
import { changeAgent } from "./change_agent.ts";
import type { AgentDeps } from "./change_agent.ts";

/** A person's yes to a machine whose token asked for one: from now on it is given work. The no is to revoke it. */
export async function approveAgent(deps: AgentDeps, id: string, actor: Actor): Promise<void> {
  await changeAgent(deps, id, actor, "agent.approve", async (tx, agent) => {
    const changed = await tx`update agent set awaits_approval = false,
      reason = case when status = 'connected' then ${tx.json(reason("agent.connected") as never)} else ${
      tx.json(reason("agent.never_connected") as never)
    } end, updated_at = boreas_now() where id = ${id} and awaits_approval returning id`;
    if (changed.length === 0) {
      throw new AppError("conflict", "agent.approved", `${agent.name} does not wait for an approval.`);
    }
    return {};
  });
}
