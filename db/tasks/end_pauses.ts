import { reason } from "../../domain/reason.ts";
import { type Aside, noAside } from "../aside.ts";
import type { Sql } from "../client.ts";
import type { Database, Tx } from "../database.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { pendingEvent, recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments, settleTasks } from "./settle_tasks.ts";
import type { EndedTask } from "./settle_tasks.ts";

/**
 * Ends the waits whose time has come; a release that was watched meanwhile has stood the test. While a machine that has
 * it is away nobody knows, so the watch goes on for it a while.
 * @returns how many ended, and when the next one is due (null: none waits)
 */
export async function endPauses(
  db: Database,
  aside: Aside = noAside,
): Promise<{ ended: number; nextInSeconds: number | null }> {
  const { sql } = db;
  const due = await sql<{ id: string; isBlind: boolean }[]>`
    select t.id, t.payload ->> 'kind' is not distinct from 'watch' and t.run_after + ${
    longestBlind(sql)
  } > boreas_now() and exists (${unseen(sql)}) as is_blind
    from task t where state = 'pending' and open and type in ('pause', 'gate') and run_after <= boreas_now() and ${
    endsByClock(sql)
  } and id <> all(${aside.ids()}::uuid[])
    order by is_blind, run_after limit ${AT_ONCE}`; // what can end is not kept from it by what goes on
  const blind = due.filter((one) => one.isBlind).map((one) => one.id);
  const over = due.filter((one) => !one.isBlind).map((one) => one.id);
  const ended = await aside.attemptAll(over, (ids) => end(db, ids));
  if (blind.length > 0) await inTransaction(db, (tx) => sayBlind(tx, blind));
  if (over.length === AT_ONCE) return { ended, nextInSeconds: 0 };
  const [next] = await sql<{ seconds: number | null }[]>`
    select extract(epoch from min(greatest(run_after, boreas_now() + interval '1 s')) - boreas_now())::float8 as seconds
    from task t where state = 'pending' and open and type in ('pause', 'gate') and ${endsByClock(sql)}
      and id <> all(${aside.ids()}::uuid[])`;
  return { ended, nextInSeconds: next!.seconds };
}

/** Looks again under the lock: one that a person tried again, or ended, meanwhile is left as it is. */
async function end(db: Database, ids: readonly string[]): Promise<number> {
  return await inTransaction(db, async (tx) => {
    const deployments = await lockDeployments(tx, ids);
    const ended = await tx<EndedTask[]>`
      update task t set state = 'success', completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now(),
        started_at = coalesce(started_at, boreas_now()), reason = case when t.payload ? 'promoted' then t.payload -> 'promoted' when t.type = 'pause' then ${
      tx.json(reason("task.pause_over") as never)
    } else ${sayWatched(tx)} end
      where t.id = any(${[...ids]}::uuid[]) and t.state = 'pending' and t.open and t.run_after <= boreas_now()
      returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
    await settleTasks(tx, ended);
    await moveDeployments(db, tx, deployments);
    return ended.length;
  });
}

const AT_ONCE = 500;

/** Other gates end when they were measured. */
const endsByClock = (sql: Sql | Tx) => sql`(t.type = 'pause' or t.payload ->> 'kind' in ('watch', 'promoted'))`;

/** How long a watch goes on for a machine that cannot say how it is: as long again, and a minute at least. */
const longestBlind = (sql: Sql | Tx) =>
  sql`make_interval(secs => greatest(60, (t.payload ->> 'pauseSeconds')::float8))`;

/** Machines with the watched release that are away, or came back just now and have not said yet how it is. */
const unseen = (sql: Sql | Tx) =>
  sql`
  select a.name from task l join agent a on a.id = coalesce(l.target_agent_id, l.last_agent_id)
  where l.parent_id = t.parent_id and l.is_leaf and l.state = 'success' and not l.payload ? 'decision' and l.payload ->> 'action' in ('deploy', 'switch')
    and (a.status = 'disconnected' or a.status = 'connected' and a.updated_at > boreas_now() - interval '5 s')`;

async function sayBlind(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const rows = await tx<EndedTask[]>`
    with told as (
      select t.id, jsonb_build_object('code', 'task.watching_blind', 'params', jsonb_build_object('application', p.application, 'machines', p.machines, 'until', p.until),
        'text', format('Watching %s for %s, which cannot say how it is; until %s at the latest.', p.application, p.machines, p.until)) as reason
      from task t, lateral (select t.payload ->> 'application' as application, (select string_agg(u.name, ', ' order by u.name) from (${
    unseen(tx)
  }) u) as machines,
        to_char((t.run_after + ${longestBlind(tx)}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as until) p
      where t.id = any(${[...ids]}::uuid[])
    )
    update task t set reason = r.reason, updated_at = boreas_now() from told r where t.id = r.id and t.reason is distinct from r.reason
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
  await recordEvents(tx, rows.map(pendingEvent));
}

const sayWatched = (tx: Tx) =>
  tx`jsonb_build_object('code', 'task.watched', 'params', jsonb_build_object('seconds', t.payload -> 'pauseSeconds'),
    'text', format('Watched for %s s, and nothing turned bad.', t.payload ->> 'pauseSeconds'))`;
