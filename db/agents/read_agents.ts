/** Agents as the API shows them, with the environments they are bound to and the slots they have in use. */
import type { Agent } from "../../protocol/http_api.ts";
import type { Fragment } from "../client.ts";
import type { Database } from "../database.ts";

export interface AgentFilter {
  status?: Agent["status"];
  environmentId?: string;
  /** Only agents older than this one. */
  before?: string;
  limit: number;
}

/** Newest first, at most `limit`. */
export function listAgents(db: Database, projectId: string, filter: AgentFilter): Promise<Agent[]> {
  const { sql } = db;
  return selectAgents(
    db,
    sql`where a.project_id = ${projectId}
      ${filter.status ? sql`and a.status = ${filter.status}` : sql``}
      ${
      filter.environmentId
        ? sql`and a.id in (select agent_id from agent_environment where environment_id = ${filter.environmentId})`
        : sql``
    }
      ${filter.before ? sql`and a.id < ${filter.before}` : sql``}
      order by a.id desc limit ${filter.limit}`,
  );
}

export async function getAgent(db: Database, projectId: string, id: string): Promise<Agent | undefined> {
  const [agent] = await selectAgents(db, db.sql`where a.id = ${id} and a.project_id = ${projectId}`);
  return agent;
}

interface AgentRow extends Omit<Agent, "environments" | "busySlots" | "drain" | "keys"> {
  drainStartedAt: string | null;
  drainedAt: string | null;
  keySince: string;
  rotateWanted: boolean;
}

async function selectAgents(db: Database, tail: Fragment): Promise<Agent[]> {
  const rows = await db.sql<AgentRow[]>`
    select a.id, a.name, a.kind, a.status, a.reason, a.embedded, a.labels, a.facts, a.versions, a.slots, a.cordoned,
      a.awaits_approval, a.drain_started_at, a.drained_at, coalesce(a.key_since, a.created_at) as key_since, a.rotate_wanted,
      a.last_seen_at, a.created_at
    from agent a ${tail}`;
  if (rows.length === 0) return [];
  const ids = rows.map((r) => r.id);
  const [bindings, held] = await Promise.all([
    db.sql<{ agentId: string; id: string; name: string }[]>`
      select b.agent_id, e.id, e.name from agent_environment b join environment e on e.id = b.environment_id
      where b.agent_id = any(${ids}::uuid[]) order by e.name`,
    db.sql<{ agentId: string; busy: number }[]>`
      select agent_id, count(*)::int as busy from task
      where agent_id = any(${ids}::uuid[]) and state in ('leased', 'running', 'cancelling') group by agent_id`,
  ]);
  const bound = Map.groupBy(bindings, (b) => b.agentId);
  const busy = new Map(held.map((h) => [h.agentId, h.busy]));
  return rows.map(({ drainStartedAt, drainedAt, keySince, rotateWanted, ...row }) => ({
    ...row,
    drain: drainStartedAt === null ? null : { startedAt: drainStartedAt, drainedAt },
    keys: row.embedded ? null : { since: keySince, isRenewalWanted: rotateWanted },
    environments: (bound.get(row.id) ?? []).map(({ id, name }) => ({ id, name })),
    busySlots: busy.get(row.id) ?? 0,
  }));
}
