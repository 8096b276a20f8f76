import type { Database } from "../database.ts";

export interface WantedCancel {
  id: string;
  fence: number;
  agentId: string;
  reason: string;
}

/** Tasks that these agents hold and that somebody wants stopped. */
export async function readCancels(db: Database, agentIds: readonly string[]): Promise<WantedCancel[]> {
  return await db.sql<WantedCancel[]>`
    select t.id, t.fence, t.agent_id, case d.status
        when 'cancelling' then 'Cancelled by ' || coalesce(d.reason -> 'params' ->> 'actor', 'a person') || '.'
        when 'rolling_back' then 'The deployment is being rolled back.'
        else 'A person cancelled this task.' end as reason
    from task t join deployment d on d.id = t.deployment_id
    where t.agent_id = any(${[...agentIds]}::uuid[]) and t.state = 'cancelling'`;
}
