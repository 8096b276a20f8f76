/**
 * Ends leases that nobody renewed, by the database's clock alone.
 *
 * Restart grace: when a master has just started, or nobody swept for longer than a lease (a master was away, or
 * PostgreSQL, or the machine stood still), agents had no chance to renew; then no lease ends until the grace is over. The
 * row `sweep` holds when the last sweep was, so it covers whichever master comes first.
 */
import { reason } from "../../domain/reason.ts";
import type { Chance } from "../../domain/ports.ts";
import { type Aside, noAside } from "../aside.ts";
import type { Database } from "../database.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { inTransaction } from "../retry.ts";
import { loseTasks } from "./lose_tasks.ts";
import type { LostTask } from "./lose_tasks.ts";
import { lockDeployments } from "./settle_tasks.ts";

const BATCH = 500;

export interface ReapOptions {
  leaseSeconds: number;
  graceSeconds: number;
  /** The first sweep of a process: agents of the one before may have lost their master when a lease was almost over. */
  isReturn?: boolean;
  chance: Chance;
  /** Leases that could not be ended keep no others from their end. */
  aside?: Aside;
}

/** @returns how many leases ended */
export async function reapTasks(db: Database, options: ReapOptions): Promise<number> {
  if (await isGrace(db, options)) return 0;
  const aside = options.aside ?? noAside;
  const due = await db.sql<{ id: string }[]>`
    select id from task where agent_id is not null and lease_expires_at < boreas_now() and id <> all(${aside.ids()}::uuid[])
    order by lease_expires_at limit ${BATCH}`;
  return await aside.attemptAll(due.map((d) => d.id), (ids) => reap(db, ids, options));
}

async function reap(db: Database, ids: readonly string[], options: ReapOptions): Promise<number> {
  return await inTransaction(db, async (tx) => {
    const deployments = await lockDeployments(tx, ids);
    // Read again under the lock: one that ended or was renewed meanwhile is not lost.
    const lost = await tx<LostTask[]>`
      select t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason, t.attempt, t.losses, coalesce(a.name, 'an agent') as agent
      from task t left join agent a on a.id = t.agent_id
      where t.id = any(${[...ids]}::uuid[]) and t.lease_expires_at < boreas_now() order by t.id for update of t`;
    await loseTasks(
      tx,
      lost,
      (t) => reason("task.lease_expired", { agent: t.agent, attempt: t.attempt }),
      options.chance,
    );
    await moveDeployments(db, tx, deployments);
    return lost.length;
  });
}

/** Notes this sweep, and says whether the grace after a gap is still on. */
async function isGrace(
  db: Database,
  { leaseSeconds, graceSeconds, isReturn = false }: ReapOptions,
): Promise<boolean> {
  const [row] = await db.sql<{ grace: boolean }[]>`
    insert into setting (key, value, updated_at)
    values ('sweep', jsonb_build_object('graceUntil', boreas_now() + make_interval(secs => ${graceSeconds})), boreas_now())
    on conflict (key) do update set updated_at = boreas_now(), value = case
      when ${isReturn} or setting.updated_at < boreas_now() - make_interval(secs => ${leaseSeconds})
        then jsonb_build_object('graceUntil', boreas_now() + make_interval(secs => ${graceSeconds}))
      else setting.value end
    returning (value ->> 'graceUntil')::timestamptz > boreas_now() as grace`;
  return row!.grace;
}
