import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";

/** A machine says that it can run more than before, or less: its container engine came or went. */
export async function changeModes(db: Database, agentId: string, modes: readonly string[]): Promise<void> {
  await inTransaction(db, async (tx) => {
    const [agent] = await tx<{ name: string; projectId: string }[]>`
      update agent set facts = jsonb_set(facts, '{modes}', ${tx.json(modes as never)}), updated_at = boreas_now()
      where id = ${agentId} and facts -> 'modes' is distinct from ${tx.json(modes as never)}
      returning name, project_id`;
    if (!agent) return;
    const { name, projectId } = agent;
    await recordEvents(tx, [{
      ...{ topic: "agent", projectId, subjectId: agentId, kind: "agent.modes" },
      data: { name, modes: [...modes] },
    }]);
  });
}
