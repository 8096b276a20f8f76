/**
 * The rows of deployments that were let go of, a batch per transaction, what hangs on others first:
 *
 *   log chunks -> events -> dependencies -> tasks (with their log heads) -> the deployment (with its approvals)
 *
 * So no cascade is larger than a batch, and a crash leaves a deployment that is still marked: the next batch goes on.
 * Everything here has ended long ago, so nobody who claims, renews or finishes waits for these rows.
 */
import { type Aside, noAside } from "../aside.ts";
import type { Database, Tx } from "../database.ts";
import { inTransaction } from "../retry.ts";
import { BATCH_ROWS } from "./policy.ts";

/** @returns rows removed; 0 when no retired deployment is left that nobody else works on */
export async function removeRetired(db: Database, rows = BATCH_ROWS, aside: Aside = noAside): Promise<number> {
  for (let after = "00000000-0000-0000-0000-000000000000";;) {
    const [deployment] = await db.sql<{ id: string }[]>`
      select id from deployment where retired_at is not null and id > ${after} order by id limit 1`;
    if (!deployment) return 0;
    const removed = await aside.attempt(
      deployment.id,
      () => inTransaction(db, (tx) => removeRows(tx, deployment.id, rows)),
    );
    if (removed) return removed;
    after = deployment.id; // it is being worked on elsewhere, or cannot go
  }
}

async function removeRows(tx: Tx, id: string, rows: number): Promise<number> {
  const [held] = await tx`select id from deployment where id = ${id} and retired_at is not null for update skip locked`;
  if (!held) return 0;
  let removed = 0;
  for (const remove of [removeChunks, removeEvents, removeDependencies, removeTasks, removeDeployment]) {
    removed += await remove(tx, id, rows - removed);
    if (removed >= rows) break;
  }
  return removed;
}

type Remove = (tx: Tx, deploymentId: string, limit: number) => Promise<number>;

const removeChunks: Remove = async (tx, deploymentId, limit) =>
  (await tx`
    delete from log_chunk c using (
      select c.task_id, c.attempt, c.sequence from task t join log_chunk c on c.task_id = t.id
      where t.deployment_id = ${deploymentId} limit ${limit} for update of c skip locked
    ) x where c.task_id = x.task_id and c.attempt = x.attempt and c.sequence = x.sequence`).count;

const removeEvents: Remove = async (tx, deploymentId, limit) =>
  (await tx`
    delete from event where id in (
      select id from event where deployment_id = ${deploymentId} order by id limit ${limit} for update skip locked)`)
    .count;

const removeDependencies: Remove = async (tx, deploymentId, limit) =>
  (await tx`
    delete from task_dependency d using (
      select d.task_id, d.depends_on from task t join task_dependency d on d.task_id = t.id
      where t.deployment_id = ${deploymentId} limit ${limit} for update of d skip locked
    ) x where d.task_id = x.task_id and d.depends_on = x.depends_on`).count;

const removeTasks: Remove = async (tx, deploymentId, limit) =>
  (await tx`
    delete from task where id in (
      select id from task where deployment_id = ${deploymentId} order by position, id limit ${limit} for update skip locked)`)
    .count;

/** Last, and only when nothing was skipped: its cascade finds nothing but approvals. */
const removeDeployment: Remove = async (tx, deploymentId) =>
  (await tx`
    delete from deployment d where d.id = ${deploymentId}
      and not exists (select from task t where t.deployment_id = d.id)
      and not exists (select from event e where e.deployment_id = d.id)`).count;
