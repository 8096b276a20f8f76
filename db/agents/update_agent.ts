import { AppError } from "../../domain/app_error.ts";
import type { Actor } from "../database.ts";
import { changeAgent } from "./change_agent.ts";
import type { AgentDeps } from "./change_agent.ts";

/** Labels and environments are the master's to give: an agent never says them itself. */
export async function updateAgent(
  deps: AgentDeps,
  id: string,
  change: { labels?: Record<string, string>; environments?: string[] },
  actor: Actor,
): Promise<void> {
  await changeAgent(deps, id, actor, "agent.update", async (tx) => {
    if (change.labels) {
      await tx`update agent set labels = ${tx.json(change.labels)}, updated_at = boreas_now() where id = ${id}`;
    }
    if (change.environments) {
      const wanted = [...new Set(change.environments)];
      const known = await tx<{ id: string }[]>`
        select id from environment where id = any(${wanted}::uuid[]) and project_id = ${actor.projectId}`;
      const missing = wanted.filter((one) => !known.some((k) => k.id === one));
      if (missing.length > 0) {
        throw new AppError("invalid", "agent.environments", `There is no environment ${missing[0]}; check its id.`, [
          { path: "environments", message: `${missing.join(", ")} is unknown` },
        ]);
      }
      await tx`delete from agent_environment where agent_id = ${id} and environment_id <> all(${wanted}::uuid[])`;
      await tx`insert into agent_environment (agent_id, environment_id)
        select ${id}, unnest(${wanted}::uuid[]) on conflict do nothing`;
      await tx`update agent set updated_at = boreas_now() where id = ${id}`;
    }
    return { detail: change };
  });
}
