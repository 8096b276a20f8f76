import { reason } from "../../domain/reason.ts";
import type { Database } from "../database.ts";
import { whenAsked } from "../retry.ts";
import type { Arrival } from "./connect_agent.ts";

export interface IdleArrival {
  agentId: string;
  name: string;
  cordoned: boolean;
}

/**
 * Agents that hold nothing and of which the database believes the same: there is nothing to reconcile, so all of them
 * are connected in one statement, however many come back at once. The others are left as they are, for `connectAgent`.
 * @param arrivals without resumes, of each agent at most one
 */
export async function connectIdle(db: Database, arrivals: readonly Arrival[]): Promise<IdleArrival[]> {
  const { sql } = db;
  const rows = arrivals.map(({ agentId, sessionId, slots, facts, versions, seen, ticket }) => ({
    seen,
    agent_id: agentId,
    session_id: sessionId,
    slots,
    facts,
    versions,
    ticket: ticket?.next,
    shown: ticket?.shown,
  }));
  const said = sql.json(reason("agent.connected") as never);
  return await whenAsked(() =>
    sql<IdleArrival[]>`
      with arrived as (
        select * from jsonb_to_recordset(${sql.json(rows as never)})
          as r(agent_id uuid, session_id uuid, slots int, facts jsonb, versions jsonb, seen bigint, ticket text, shown text)
      ), idle as (
        select a.id from agent a join arrived r on r.agent_id = a.id
        where a.status <> 'revoked' and (r.seen is null or r.seen = a.arrivals)
          and not exists (select from task t where t.agent_id = a.id) order by a.id for update of a
      ), connected as (
        update agent a set status = 'connected', session_id = r.session_id, slots = r.slots, facts = r.facts,
          versions = r.versions, reason = ${said}, last_seen_at = boreas_now(), updated_at = boreas_now(), arrivals = a.arrivals + 1,
          ticket = decode(r.ticket, 'hex'), previous_ticket = decode(r.shown, 'hex')
        from arrived r where a.id = r.agent_id and a.id in (select id from idle)
        returning a.id, a.project_id, a.name, a.cordoned or a.awaits_approval as cordoned
      ), noted as (
        insert into event (project_id, topic, subject_id, kind, data)
        select project_id, 'agent', id, 'agent.connected', jsonb_build_object('name', name, 'reason', ${said}::jsonb)
        from connected
      )
      select id as agent_id, name, cordoned from connected`
  );
}
