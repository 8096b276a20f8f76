import { reason } from "../../domain/reason.ts";
import type { Actor, Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { changeAgent } from "./change_agent.ts";
import type { AgentDeps } from "./change_agent.ts";

/**
 * Empties a machine: it is given nothing new, what runs goes on to its end. `uncordon` takes it back at any time.
 * Draining what drains already begins nothing anew.
 */
export async function drainAgent(deps: AgentDeps, id: string, actor: Actor): Promise<void> {
  await changeAgent(deps, id, actor, "agent.drain", async (tx) => {
    await tx`update agent set cordoned = true, drain_started_at = coalesce(drain_started_at, boreas_now()),
      drained_at = case when drain_started_at is null then null else drained_at end, updated_at = boreas_now()
      where id = ${id}`;
    return {};
  });
}

/** Notes which machines have become empty. @returns how many */
export async function noteDrained(db: Database): Promise<number> {
  return await inTransaction(db, async (tx) => {
    const rows = await tx<{ id: string; name: string; projectId: string }[]>`
      update agent a set drained_at = boreas_now(), updated_at = boreas_now()
      where a.drain_started_at is not null and a.drained_at is null and a.status <> 'revoked'
        and not exists (select from task t where t.agent_id = a.id and t.state in ('leased', 'running', 'cancelling'))
      returning a.id, a.name, a.project_id`;
    await recordEvents(
      tx,
      rows.map(({ id, name, projectId }) => ({
        topic: "agent" as const,
        projectId,
        subjectId: id,
        kind: "agent.drained",
        data: { name, reason: reason("agent.drained") },
      })),
    );
    return rows.length;
  });
}
