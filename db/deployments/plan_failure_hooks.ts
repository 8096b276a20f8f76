/**
 * The onFailure hooks of applications that have failed, once per deployment. They look at what is there and tell: a
 * rollback, and the end of a failed deployment, wait for them, each with its own bound; a question to people does not.
 */
import type { HooksInput } from "../../domain/hooks.ts";
import type { Database, Tx } from "../database.ts";
import type { DeploymentRow } from "./change_deployment.ts";
import { hookPayload } from "./hook_payload.ts";
import { insertTasks } from "./insert_tasks.ts";
import type { NewTask } from "./insert_tasks.ts";
import { readReached } from "./read_reached.ts";
import type { ReachedPlace } from "./read_reached.ts";

/** @returns those that have not ended, new ones included */
export async function planFailureHooks(db: Database, tx: Tx, row: DeploymentRow): Promise<string[]> {
  const failed = await tx<{ id: string; name: string; hooks: HooksInput }[]>`
    select t.id, t.name, t.payload -> 'hooks' as hooks from task t
    where t.deployment_id = ${row.id} and t.parent_id is null and not t.is_rollback and t.payload -> 'hooks' ? 'onFailure'
      and (t.state = 'failed' or t.max_failures < (select count(*) from task c where c.parent_id = t.id and c.state = 'failed'))
      and not exists (select from task h where h.deployment_id = t.deployment_id and h.app_id = t.app_id
        and ${isFailureHook(tx)})
    order by t.position`;
  if (failed.length > 0) await insertHooks(db, tx, row, failed);
  return await readOpenHooks(tx, row.id);
}

/** Of those that are planned. */
export async function readOpenHooks(tx: Tx, deploymentId: string): Promise<string[]> {
  const open = await tx<{ id: string }[]>`
    select h.id from task h where h.deployment_id = ${deploymentId} and h.completed_at is null and ${
    isFailureHook(tx)
  }`;
  return open.map(({ id }) => id);
}

const isFailureHook = (tx: Tx) =>
  tx`h.parent_id is null and h.is_rollback and h.type = 'hook' and h.payload -> 'hook' ->> 'name' = 'onFailure'`;

async function insertHooks(
  db: Database,
  tx: Tx,
  row: DeploymentRow,
  failed: readonly { id: string; name: string; hooks: HooksInput }[],
): Promise<void> {
  const reached = await readReached(tx, row.id);
  const [last] = await tx<
    { position: number }[]
  >`select max(position) as position from task where deployment_id = ${row.id}`;
  let { position } = last!;
  const tasks = failed.flatMap(({ id, name, hooks }): NewTask[] => {
    const hook = hooks.onFailure!;
    const all = reached.filter((place) => place.topId === id);
    const places = all.filter((place) => !place.isHookOnly);
    const make = (place: ReachedPlace, isEach: boolean): NewTask => ({
      ...{ id: db.newId(), projectId: row.projectId, deploymentId: row.id, parentId: null, type: "hook" },
      ...{ environmentId: place.environmentId, appId: place.appId, position: ++position, dependsOn: [] },
      ...{ isLeaf: true, isRollback: true, open: true, maxAttempts: 1, specSha256: place.specSha256 },
      name: isEach && place.target ? `onFailure of ${name} on ${place.target.name}` : `onFailure of ${name}`,
      targetAgentId: isEach ? place.targetAgentId : null,
      payload: hookPayload(place, "onFailure", hook, isEach),
    });
    return hook.on === "each"
      ? places.map((place) => make(place, true))
      : all.slice(0, 1).map((place) => make(place, false));
  });
  await insertTasks(tx, tasks);
}
