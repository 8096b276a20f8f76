import type { Database } from "../database.ts";

/** What a master that holds an agent's connection must know of it, whatever hints were lost. */
export interface Standing {
  agentId: string;
  isRevoked: boolean;
  /** Nothing new is handed to it: cordoned, being emptied, or not approved yet. */
  isHeldBack: boolean;
  isDraining: boolean;
  /** Somebody asked for new keys, or the present ones are too old. */
  wantsKeys: boolean;
}

/** @param keyDays keys that are older are renewed; 0 for never */
export async function readStandings(
  db: Database,
  agentIds: readonly string[],
  keyDays: number,
): Promise<Standing[]> {
  return await db.sql<Standing[]>`
    select id as agent_id, status = 'revoked' as is_revoked, cordoned or awaits_approval as is_held_back,
      drain_started_at is not null as is_draining,
      not embedded and (rotate_wanted or ${keyDays} > 0
        and coalesce(key_since, created_at) < boreas_now() - make_interval(days => ${keyDays})) as wants_keys
    from agent where id = any(${agentIds}::uuid[])`;
}
