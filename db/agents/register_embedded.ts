import { reason } from "../../domain/reason.ts";
import type { Sql } from "../client.ts";
import type { Database, Tx } from "../database.ts";
import { DEFAULT_PROJECT } from "../database.ts";

/**
 * The agent that lives inside this master, one per kind of operator and master: made at its first start, and bound to
 * every environment of its kind, now and later (`bindEmbedded`).
 */
export async function registerEmbedded(db: Database, name: string, kind: string): Promise<string> {
  const said = reason("agent.never_connected");
  const [row] = await db.sql<{ id: string }[]>`
    insert into agent (id, project_id, name, kind, embedded, status, reason, created_by)
    values (${db.newId()}, ${DEFAULT_PROJECT}, ${name}, ${kind}, true, 'disconnected', ${
    db.sql.json(said as never)
  }, 'system')
    on conflict (project_id, name) do update set updated_at = boreas_now() returning id`;
  return row!.id;
}

/** Binds embedded agents to the environments of their kind. */
export async function bindEmbedded(sql: Sql | Tx): Promise<void> {
  await sql`
    insert into agent_environment (agent_id, environment_id)
    select a.id, e.id from agent a join environment e on e.type = a.kind and e.project_id = a.project_id where a.embedded
    on conflict do nothing`;
}

/** Its sealing key lives as long as its process, so each start brings a new one. */
export async function setSealingKey(db: Database, agentId: string, sealingKey: string): Promise<void> {
  await db.sql`update agent set sealing_key = ${sealingKey} where id = ${agentId} and embedded`;
}
