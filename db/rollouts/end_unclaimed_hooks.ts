/**
 * Hooks of something that has gone wrong, which no agent takes: the rollback, or the end of the deployment, that stands
 * behind them must not wait for ever. They get as long for being taken as they have for running; onRollback of one machine
 * waits with what goes back there, which nobody else waits for. A crash costs one sweep.
 */
import { reason } from "../../domain/reason.ts";
import { type Aside, noAside } from "../aside.ts";
import type { Database, Tx } from "../database.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments, settleTasks } from "../tasks/settle_tasks.ts";
import type { EndedTask } from "../tasks/settle_tasks.ts";

/** @returns whether any ended */
export async function endUnclaimedHooks(db: Database, aside: Aside = noAside): Promise<boolean> {
  const due = await db.sql<{ id: string }[]>`
    select t.id from task t where t.state = 'pending' and t.open and t.is_leaf and t.target_agent_id is null and ${
    isDue(db.sql)
  }
    union all select t.id from task t where t.state = 'pending' and t.open and t.is_leaf and t.target_agent_id is not null
      and t.payload -> 'hook' ->> 'name' = 'onFailure' and ${isDue(db.sql)}`;
  return await aside.attemptAll(due.map((task) => task.id), (ids) => end(db, ids)) > 0;
}

async function end(db: Database, ids: readonly string[]): Promise<number> {
  return await inTransaction(db, async (tx) => {
    const deployments = await lockDeployments(tx, ids);
    const ended = await tx<EndedTask[]>`
      update task t set state = 'failed', completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now(),
        reason = ${tx.json(reason("task.unclaimed") as never)}
      where t.id = any(${[...ids]}::uuid[]) and t.state = 'pending' and t.open and ${isDue(tx)}
      returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
    await settleTasks(tx, ended);
    await moveDeployments(db, tx, deployments);
    return ended.length;
  });
}

const isDue = (sql: Database["sql"] | Tx) =>
  sql`t.type = 'hook' and t.is_rollback
    and t.state_since + make_interval(secs => greatest(60, (t.payload ->> 'timeoutSeconds')::float8)) < boreas_now()`;
