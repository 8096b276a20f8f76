/** Takes every upgrade one step further, each in a transaction of its own: for the master that leads. */
import { planUpgrade } from "../../domain/plan_upgrade.ts";
import type { UpgradePlan, UpgradingAgent } from "../../domain/plan_upgrade.ts";
import { type Aside, noAside } from "../aside.ts";
import type { Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";

/** @returns whether anything changed */
export async function moveUpgrades(db: Database, aside: Aside = noAside): Promise<boolean> {
  const open = await db.sql<{ id: string }[]>`
    select id from upgrade where status = 'running'
    union select upgrade_id from upgrade_agent where state = 'asked'`;
  let moved = false;
  for (const { id } of open) {
    moved = await aside.attempt(id, () => inTransaction(db, (tx) => moveUpgrade(tx, id))) || moved;
  }
  return moved;
}

async function moveUpgrade(tx: Tx, id: string): Promise<boolean> {
  const [upgrade] = await tx<(Omit<UpgradePlan, "agents"> & { projectId: string })[]>`
    select project_id, version, downgrade, batch, status from upgrade where id = ${id} for update`;
  if (!upgrade) return false;
  const agents = await tx<UpgradingAgent[]>`
    select p.agent_id, a.name, p.state, p.reason, p.asked_at is not null as was_asked,
      extract(epoch from boreas_now() - p.updated_at)::float8 as quiet_seconds, a.status = 'connected' as connected,
      coalesce(a.versions ->> 'boreas', '') as runs, coalesce((a.facts -> 'installed')::boolean, false) as installed
    from upgrade_agent p join agent a on a.id = p.agent_id where p.upgrade_id = ${id} order by p.position`;
  const { changes, end } = planUpgrade({ ...upgrade, agents });
  for (const { agentId, state, reason } of changes) {
    await tx`update upgrade_agent set state = ${state}, reason = ${tx.json(reason as never)}, updated_at = boreas_now(),
      asked_at = case when ${state} = 'asked' then boreas_now() else asked_at end
      where upgrade_id = ${id} and agent_id = ${agentId}`;
  }
  if (end) {
    await tx`update upgrade set status = ${end.status}, reason = ${tx.json(end.reason as never)},
      completed_at = boreas_now(), updated_at = boreas_now() where id = ${id}`;
  }
  const nameOf = new Map(agents.map((a) => [a.agentId, a.name]));
  await recordEvents(
    tx,
    changes.map(({ agentId, state, reason }) => ({
      topic: "agent" as const,
      projectId: upgrade.projectId,
      subjectId: agentId,
      kind: `agent.upgrade_${state}`,
      data: { name: nameOf.get(agentId), reason, version: upgrade.version, upgradeId: id },
    })),
  );
  return changes.length > 0 || end !== undefined;
}
