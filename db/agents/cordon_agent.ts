import type { Actor } from "../database.ts";
import { changeAgent } from "./change_agent.ts";
import type { AgentDeps } from "./change_agent.ts";

/** A cordoned agent finishes what it holds and gets nothing new. Uncordoning ends a drain, too. */
export async function cordonAgent(deps: AgentDeps, id: string, cordoned: boolean, actor: Actor): Promise<void> {
  await changeAgent(deps, id, actor, cordoned ? "agent.cordon" : "agent.uncordon", async (tx) => {
    await tx`update agent set cordoned = ${cordoned}, updated_at = boreas_now(),
      drain_started_at = case when ${cordoned} then drain_started_at end,
      drained_at = case when ${cordoned} then drained_at end where id = ${id}`;
    return {};
  });
}
