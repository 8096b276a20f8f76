/**
 * From what happened to deployments to what their commits should show. One transaction moves the cursor over a stretch
 * of certain events and writes, for each place that they touch, what its newest deployment of that commit has come to by
 * now: however many events a deployment had, and in whatever order they are read, the last word stands.
 */
import { sayDeployment } from "../../domain/commit_status.ts";
import type { DeploymentState } from "../../domain/deployment_state.ts";
import type { Database, Tx } from "../database.ts";
import { readSettled } from "../events/read_events.ts";
import type { EventCursor } from "../events/read_events.ts";
import { lockCursor, moveCursor, restartAtPresent } from "../notifications/event_cursor.ts";
import { inTransaction } from "../retry.ts";
import { wantStatus } from "./want_status.ts";

const STRETCH = 2000;
const CURSOR = "statuses.cursor";

const isAnybodyTold = async (tx: Tx): Promise<boolean> =>
  (await tx`select 1 from repository where status_token is not null limit 1`).length > 0;

/** Before the first repository gets its token: nobody has read until then, and what happened before is not told. */
export async function startTelling(tx: Tx): Promise<void> {
  if (!await isAnybodyTold(tx)) await restartAtPresent(tx, CURSOR);
}

interface Stretch {
  last: EventCursor | null;
  seen: number;
  deployments: string[];
}

/** @returns whether there may be more events to look at */
export async function routeDeployments(db: Database): Promise<{ more: boolean }> {
  return await inTransaction(db, async (tx) => {
    if (!await isAnybodyTold(tx)) return { more: false };
    const { last, seen, deployments } = await readStretch(tx, await lockCursor(tx, CURSOR));
    if (!last) return { more: false };
    for (const newest of await readNewest(tx, deployments)) {
      await wantStatus(db, tx, newest.repositoryId, newest.commit, sayDeployment(newest));
    }
    await moveCursor(tx, last, CURSOR);
    return { more: seen === STRETCH };
  });
}

async function readStretch(tx: Tx, from: EventCursor): Promise<Stretch> {
  const settled = await readSettled(tx);
  const [row] = await tx<Stretch[]>`
    with stretch as materialized (
      select xid, id, topic, deployment_id from event where (xid, id) > (${from.xid}::xid8, ${from.id})
        and xid < ${settled}::xid8 order by event.xid, event.id limit ${STRETCH}
    )
    select (select jsonb_build_object('xid', xid::text, 'id', id) from stretch order by stretch.xid desc, id desc limit 1) as last,
      (select count(*)::int from stretch) as seen,
      array(select distinct deployment_id from stretch where topic = 'deployment' and deployment_id is not null) as deployments`;
  return row!;
}

interface Newest {
  id: string;
  status: DeploymentState;
  version: string;
  environment: string;
  repositoryId: string;
  commit: string;
}
/** Of each commit and environment that one of these went to, the deployment that was made last. Who made a version by hand may have shortened its commit: no provider takes that. */
const readNewest = (tx: Tx, deployments: readonly string[]): Promise<Newest[]> =>
  tx<Newest[]>`
    with touched as (
      select distinct v.repository_id, v.git_commit, d.environment_id
      from deployment d join version v on v.id = d.version_id join repository r on r.id = v.repository_id
      where not d.removes and d.id = any(${[
    ...deployments,
  ]}::uuid[]) and v.git_commit ~ '^[0-9a-f]{40}([0-9a-f]{24})?$' and r.status_token is not null
    )
    select newest.id, newest.status, newest.version, e.name as environment, t.repository_id, t.git_commit as commit
    from touched t join environment e on e.id = t.environment_id
    cross join lateral (
      select d.id, d.status, v.version from version v join deployment d on d.version_id = v.id
      where v.repository_id = t.repository_id and v.git_commit = t.git_commit and d.environment_id = t.environment_id and not d.removes
      order by d.id desc limit 1
    ) newest
    order by t.repository_id, t.git_commit, e.name`;
