/** What agents are to be told of upgrades, and what they say about them. */
import { reason } from "../../domain/reason.ts";
import type { UpgradeReport } from "../../protocol/release.ts";
import type { Database } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";

export interface AskedUpgrade {
  upgradeId: string;
  agentId: string;
  version: string;
  downgrade: boolean;
  /** A person has changed their mind. */
  cancel: boolean;
}

/** Which of these agents have been asked and have not ended yet. */
export async function readAskedUpgrades(db: Database, agentIds: readonly string[]): Promise<AskedUpgrade[]> {
  return await db.sql<AskedUpgrade[]>`
    select p.upgrade_id, p.agent_id, u.version, u.downgrade, u.status = 'cancelled' as cancel
    from upgrade_agent p join upgrade u on u.id = p.upgrade_id
    where p.agent_id = any(${[...agentIds]}::uuid[]) and p.state = 'asked'`;
}

/**
 * An agent's word about an upgrade that it was asked for. One that went back after it was counted as upgraded is counted
 * as failed: the last word is what it runs.
 */
export async function noteUpgrade(db: Database, agentId: string, report: UpgradeReport): Promise<void> {
  const { id, state, message: detail } = report;
  await inTransaction(db, async (tx) => {
    const to = { working: "asked", failed: "failed", cancelled: "cancelled" }[state];
    const said = reason(state === "failed" ? "upgrade.agent_failed" : "upgrade.progress", { detail });
    const [row] = await tx<{ name: string; projectId: string }[]>`
      update upgrade_agent p set state = ${to}, reason = ${tx.json(said as never)}, updated_at = boreas_now()
      from agent a where a.id = p.agent_id and p.upgrade_id = ${id} and p.agent_id = ${agentId}
        and (p.state = 'asked' or p.state = 'succeeded' and p.asked_at is not null and ${state} = 'failed')
      returning a.name, a.project_id`;
    if (!row) return;
    await recordEvents(tx, [{
      topic: "agent",
      projectId: row.projectId,
      subjectId: agentId,
      kind: `agent.upgrade_${to}`,
      data: { name: row.name, reason: said, upgradeId: id },
    }]);
  });
}
