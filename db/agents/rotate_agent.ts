import { AppError } from "../../domain/app_error.ts";
import type { Actor } from "../database.ts";
import { changeAgent } from "./change_agent.ts";
import type { AgentDeps } from "./change_agent.ts";

/** Asks for new keys: at once when it is connected, else when it comes back. Nothing that runs notices. */
export async function rotateAgent(deps: AgentDeps, id: string, actor: Actor): Promise<void> {
  await changeAgent(deps, id, actor, "agent.rotate", async (tx, agent) => {
    if (agent.embedded) {
      throw new AppError(
        "conflict",
        "agent.embedded",
        `${agent.name} lives inside the master and makes new keys at every start; there is nothing to renew.`,
      );
    }
    await tx`update agent set rotate_wanted = true, updated_at = boreas_now() where id = ${id}`;
    return {};
  });
}
