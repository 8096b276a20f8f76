/**
 * Ends leases that nobody renewed, by the database's clock alone.
 *
 * Restart grace: agents of a master that was away need time to come back, so no lease ends until the grace is over
 * (`restart_grace.ts`). The row `sweep` holds it, and when the last sweep was.
 */
import { reason } from "../../domain/reason.ts";
import type { Chance } from "../../domain/ports.ts";
import { type Aside, noAside } from "../aside.ts";
import type { Database } from "../database.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { isGrace } from "../restart_grace.ts";
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
  if (await isGrace(db, "sweep", { ...options, awaySeconds: options.leaseSeconds })) return 0;
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
