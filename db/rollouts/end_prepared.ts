/**
 * What a cancelled deployment had only prepared goes on running beside the release that serves, without requests. A task
 * of its own ends it, behind the cancel, which never waits for that:
 *
 *   cancelled --a sweep later--> one `finish` for each such machine --its agent is there--> ended
 *                                          | away: waits, and says so, until it is back
 *                                          '-> a later deployment or the rollback of this one has begun, which ends it by
 *                                              itself, or its machine was revoked: skipped
 *
 * The tasks are looked for before they are made, under the deployment's row: a crash makes none twice. What nobody comes
 * for at all, the machine ends by its own time (docs/machines.md).
 */
import { reason } from "../../domain/reason.ts";
import { type Aside, noAside } from "../aside.ts";
import type { Database, Tx } from "../database.ts";
import { isOutrun, isPrepared } from "../deployments/is_prepared.ts";
import { insertTasks } from "../deployments/insert_tasks.ts";
import type { NewTask } from "../deployments/insert_tasks.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments, settleTasks } from "../tasks/settle_tasks.ts";
import type { EndedTask } from "../tasks/settle_tasks.ts";

/** Longer than any grace and drain that a release is usually given. */
const FINISH_SECONDS = 300;
const ATTEMPTS = 3;
/** Cancels are seen by the next sweep; so long no leader may have been there. */
const LOOK_BACK = "6 hours";

/** @returns whether anything was made or ended */
export async function endPrepared(db: Database, aside: Aside = noAside): Promise<boolean> {
  const due = await db.sql<{ id: string }[]>`
    select d.id from environment e join deployment d on d.environment_id = e.id
    where d.completed_at > boreas_now() - ${LOOK_BACK}::interval and d.status = 'cancelled' and d.started_at is not null
      and d.id <> all(${aside.ids()}::uuid[]) and exists (
        select from task t where t.deployment_id = d.id and ${isPrepared(db.sql)})
      and not exists (select from task c where c.deployment_id = d.id and c.payload ? 'cleanUp')
    order by d.id limit 100`;
  let changed = 0;
  for (const { id } of due) {
    if (await aside.attempt(id, () => inTransaction(db, (tx) => planOne(db, tx, id)))) changed++;
  }
  const idle = await db.sql<{ id: string; isRevoked: boolean }[]>`
    select t.id, coalesce(g.status = 'revoked', false) as is_revoked from task t left join agent g on g.id = t.target_agent_id
    where t.state = 'pending' and t.type = 'rollback' and t.open and t.is_leaf and t.payload ? 'cleanUp' and (g.status = 'revoked' or ${
    isOutrun(db.sql)
  })`;
  const skip = (isRevoked: boolean, detail: string) =>
    aside.attemptAll(
      idle.filter((task) => task.isRevoked === isRevoked).map(({ id }) => id),
      (ids) => end(db, ids, detail),
    );
  changed += await skip(false, "a later deployment of the application ends it by itself.");
  changed += await skip(true, "the machine was revoked, and what runs there is its own.");
  return changed > 0;
}

interface Place {
  appId: string;
  application: string;
  machine: string | null;
  isThere: boolean;
  projectId: string;
  environmentId: string;
  targetAgentId: string | null;
  specSha256: string | null;
  payload: Record<string, unknown>;
}

async function planOne(db: Database, tx: Tx, id: string): Promise<boolean> {
  const [row] = await tx<{ position: number }[]>`
    select (select max(position) from task where deployment_id = d.id) as position from deployment d
    where d.id = ${id} and d.status = 'cancelled' and not exists (
      select from task c where c.deployment_id = d.id and c.payload ? 'cleanUp') for update`;
  if (!row) return false;
  const places = await tx<Place[]>`
    select t.app_id, a.name as application, t.payload -> 'target' ->> 'name' as machine, t.project_id, t.environment_id,
      t.target_agent_id, t.spec_sha256, t.payload,
      t.target_agent_id is null or exists (select from agent g where g.id = t.target_agent_id and g.status = 'connected' and not g.cordoned) as is_there
    from task t join application a on a.id = t.app_id where t.deployment_id = ${id} and ${
    isPrepared(tx)
  } order by t.position`;
  const tasks = places.map((place, index): NewTask & { place: Place } => {
    const { batch: _, previous: _1, hook: _2, hooks: _3, step: _4, ...operation } = place.payload;
    return {
      ...{ id: db.newId(), projectId: place.projectId, deploymentId: id, parentId: null, type: "rollback", place },
      ...{ environmentId: place.environmentId, appId: place.appId, position: row.position + 1 + index, dependsOn: [] },
      ...{ isLeaf: true, isRollback: true, open: true, maxAttempts: ATTEMPTS, specSha256: place.specSha256 },
      name: place.machine ? `${place.application}: clean up ${place.machine}` : `${place.application}: clean up`,
      targetAgentId: place.targetAgentId,
      payload: { ...operation, action: "finish", isRollback: true, cleanUp: true, timeoutSeconds: FINISH_SECONDS },
    };
  });
  await insertTasks(tx, tasks.map(({ place: _, ...task }) => task));
  for (const { id, place } of tasks) {
    if (place.isThere) continue;
    const said = reason("task.clean_up_waiting", { machine: place.machine ?? "the machine" });
    await tx`update task set reason = ${tx.json(said as never)} where id = ${id}`;
  }
  return tasks.length > 0;
}

async function end(db: Database, ids: readonly string[], detail: string): Promise<number> {
  return await inTransaction(db, async (tx) => {
    await lockDeployments(tx, ids);
    const said = reason("task.skipped_stopped", { detail });
    const ended = await tx<EndedTask[]>`
      update task t set state = 'skipped', reason = ${tx.json(said as never)}, completed_at = boreas_now(),
        state_since = boreas_now(), updated_at = boreas_now()
      where t.id = any(${[...ids]}::uuid[]) and t.state = 'pending'
      returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
    await settleTasks(tx, ended);
    return ended.length;
  });
}
