/**
 * Rollbacks that have taken too long:
 *
 *   rolling_back --its deadline--> what waits fails, what runs is asked to stop --a while longer--> what has not stopped is
 *                                  given up: its lease ends, and its agent learns that it has lost it --> rollback_failed
 *
 * So a rollback always ends, also while a machine is away or an agent does not answer. Nothing is kept between two runs
 * but the rows, so a crash costs one sweep. Run by the leader.
 */
import { reason } from "../../domain/reason.ts";
import { type Aside, noAside } from "../aside.ts";
import type { Database, Tx } from "../database.ts";
import { recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { settleTasks } from "../tasks/settle_tasks.ts";
import type { EndedTask } from "../tasks/settle_tasks.ts";
import { moveDeployments } from "./move_deployments.ts";

const AT_ONCE = 50;
/** For an agent to stop what it runs and say so: longer than any grace it gives a program. */
const STOP_SECONDS = 120;

/** @returns how many were over their deadline and had something to end */
export async function endRollbacks(db: Database, aside: Aside = noAside): Promise<number> {
  const due = await db.sql<{ id: string }[]>`
    select id from deployment where status = 'rolling_back' and rollback_until <= boreas_now() and id <> all(${aside.ids()}::uuid[])
    order by rollback_until limit ${AT_ONCE}`;
  let moved = 0;
  for (const { id } of due) {
    if (await aside.attempt(id, () => inTransaction(db, (tx) => endOne(db, tx, id)))) moved++;
  }
  return moved;
}

async function endOne(db: Database, tx: Tx, id: string): Promise<boolean> {
  const [row] = await tx<{ seconds: number; isLong: boolean }[]>`
    select rollback_seconds as seconds, rollback_until + make_interval(secs => ${STOP_SECONDS}) <= boreas_now() as is_long
    from deployment where id = ${id} and status = 'rolling_back' and rollback_until <= boreas_now() for update`;
  if (!row) return false;
  const waited = await end(
    tx,
    id,
    tx`t.state in ('blocked', 'pending') and t.is_rollback`,
    "task.rollback_overdue",
    row,
  );
  const stuck = row.isLong
    ? await end(tx, id, tx`t.state = 'cancelling' and t.is_leaf`, "task.rollback_stuck", row)
    : [];
  const asked = await askToStop(tx, id);
  if (waited.length + stuck.length + asked === 0) return false;
  await settleTasks(tx, [...waited, ...stuck]);
  await moveDeployments(db, tx, [id]);
  return true;
}

async function end(
  tx: Tx,
  deploymentId: string,
  which: ReturnType<Tx>,
  code: "task.rollback_overdue" | "task.rollback_stuck",
  { seconds }: { seconds: number },
): Promise<EndedTask[]> {
  return await tx<EndedTask[]>`
    update task t set state = 'failed', reason = ${
    tx.json(reason(code, { seconds }) as never)
  }, agent_id = null, lease_expires_at = null,
      unmet = 0, completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now()
    where t.deployment_id = ${deploymentId} and ${which} and not exists (select from task c where c.parent_id = t.id)
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
}

async function askToStop(tx: Tx, deploymentId: string): Promise<number> {
  const said = reason("task.cancelling", { agent: "its agent" });
  const rows = await tx<{ id: string; projectId: string; name: string }[]>`
    update task t set state = 'cancelling', reason = ${
    tx.json(said as never)
  }, state_since = boreas_now(), updated_at = boreas_now()
    where t.deployment_id = ${deploymentId} and t.is_leaf and t.state in ('leased', 'running')
    returning t.id, t.project_id, t.name`;
  await recordEvents(
    tx,
    rows.map(({ id, projectId, name }) => ({
      topic: "task" as const,
      projectId,
      subjectId: id,
      deploymentId,
      kind: "task.cancelling",
      data: { name, reason: said },
    })),
  );
  return rows.length;
}
