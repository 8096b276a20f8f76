/** Upgrades of agents as the API shows them. */
import type { Upgrade, UpgradeAgent } from "../../protocol/http_api.ts";
import type { Fragment } from "../client.ts";
import type { Database } from "../database.ts";

/** Newest first, at most `limit`. */
export const listUpgrades = (
  db: Database,
  projectId: string,
  { before, limit }: { before?: string; limit: number },
): Promise<Upgrade[]> =>
  selectUpgrades(
    db,
    db.sql`where u.project_id = ${projectId} ${before ? db.sql`and u.id < ${before}` : db.sql``}
      order by u.id desc limit ${limit}`,
  );

export async function getUpgrade(db: Database, projectId: string, id: string): Promise<Upgrade | undefined> {
  const [upgrade] = await selectUpgrades(db, db.sql`where u.id = ${id} and u.project_id = ${projectId}`);
  return upgrade;
}

async function selectUpgrades(db: Database, tail: Fragment): Promise<Upgrade[]> {
  const upgrades = await db.sql<Omit<Upgrade, "agents">[]>`
    select u.id, u.version, u.downgrade, u.batch, u.status, u.reason, u.created_by, u.created_at, u.completed_at
    from upgrade u ${tail}`;
  if (upgrades.length === 0) return [];
  const rows = await db.sql<(UpgradeAgent & { upgradeId: string })[]>`
    select p.upgrade_id, p.agent_id, a.name, p.state, p.reason, p.from_version, p.asked_at, p.updated_at
    from upgrade_agent p join agent a on a.id = p.agent_id
    where p.upgrade_id = any(${upgrades.map((u) => u.id)}::uuid[]) order by p.position`;
  const agents = Map.groupBy(rows, (row) => row.upgradeId);
  return upgrades.map((upgrade) => ({ ...upgrade, agents: agents.get(upgrade.id) ?? [] }));
}
