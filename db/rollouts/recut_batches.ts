/**
 * Another batch size for a deployment that runs: what has not begun is dealt out anew (`domain/cut_batches.ts`), what has
 * stays. The tasks of machines keep their ids; waits between batches are made and dropped. One transaction, under the
 * deployment's row, so no result of a task is settled meanwhile; a claim takes only what is not touched here.
 */
import { AppError } from "../../domain/app_error.ts";
import { cutBatches } from "../../domain/cut_batches.ts";
import type { Recut } from "../../domain/cut_batches.ts";
import { reason } from "../../domain/reason.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { Database, Tx } from "../database.ts";
import { insertTasks } from "../deployments/insert_tasks.ts";
import type { LockedDeployment } from "../deployments/lock_deployment.ts";

interface Whole {
  id: string;
  name: string;
  appId: string;
  position: number;
  payload: { batch?: number | string; waitSeconds?: number };
  dependsOn: string[];
}
interface Part {
  id: string;
  type: string;
  name: string;
  state: TaskState;
  isLeaf: boolean;
  position: number;
  batch: number | null;
  attempt: number;
  isLeftOut: boolean;
  /** Passed over by a person's word, as those that would be made in its place. */
  isPromoted: boolean;
}

/** @throws AppError `deployment.no_batches` when nothing of it goes in batches, `deployment.batches_begun` when all have begun */
export async function recutBatches(
  db: Database,
  tx: Tx,
  row: LockedDeployment,
  batch: number | string,
): Promise<void> {
  const wholes = await tx<Whole[]>`
    select t.id, t.name, t.app_id, t.position, t.payload,
      coalesce((select array_agg(d.depends_on) from task_dependency d where d.task_id = t.id), '{}') as depends_on
    from task t where t.deployment_id = ${row.id} and t.parent_id is null and not t.is_rollback and t.payload ? 'batch' and not t.is_leaf
    order by t.position desc`;
  if (wholes.length === 0) {
    throw new AppError(
      "conflict",
      "deployment.no_batches",
      "No application of this deployment goes in batches that can be cut anew: canary steps, blue-green releases and batches with hooks of " +
        "their own stay as they were planned, so there is no batch size to change.",
    );
  }
  let changed = 0;
  // From the last to the first: what comes behind an application is moved before it is.
  for (const whole of wholes) changed += await recutOne(db, tx, row, whole, batch) ? 1 : 0;
  if (changed > 0) return;
  throw new AppError(
    "conflict",
    "deployment.batches_begun",
    "Every batch of this deployment has begun, or machines of it were cancelled before their turn, so its size changes nothing any more.",
  );
}

async function recutOne(
  db: Database,
  tx: Tx,
  row: LockedDeployment,
  whole: Whole,
  batch: number | string,
): Promise<boolean> {
  const rows = await tx<Part[]>`
    select id, type, name, state, is_leaf, position, (payload ->> 'batch')::int as batch, attempt, payload ? 'leftOut' as is_left_out,
      payload ? 'promoted' as is_promoted from task
    where parent_id = ${whole.id} order by position for update`;
  if (rows.some(isCalledOff)) return false;
  // A machine that was left out before its turn has none any more: nobody may come behind it as if it had begun.
  const begun = new Set(
    rows.filter(({ state }) => state !== "blocked" && state !== "skipped").map(({ batch }) => batch),
  );
  const isAside = ({ state, batch }: Part) => state === "skipped" && !begun.has(batch);
  const parts = rows.map((part) => isAside(part) ? { ...part, batch: null } : part);
  const cut = parts.filter((part) => part.type === "pause" || part.batch !== null);
  if (cut.length === 0) return false;
  const front = parts.filter((part) => part.position < cut[0]!.position && part.state !== "skipped");
  const waitSeconds = cut.some((part) => part.isPromoted) ? 0 : whole.payload.waitSeconds ?? 0;
  const recut = cutBatches(
    cut.map((part) => ({
      id: part.id,
      isPause: part.type === "pause",
      isWaiting: part.state === "blocked",
      batch: part.batch ?? 0,
    })),
    batch,
    waitSeconds > 0,
  );
  if (recut.batches.length === 0) return false;
  await tx`delete from task where id = any(${recut.dropped}::uuid[])`;
  await tx`update task set payload = payload - 'batch' where id = any(${
    rows.filter(isAside).map(({ id }) => id)
  }::uuid[])`;
  const behind = parts.filter((part) => part.batch === null && part.type !== "pause" && !front.includes(part)); // hook, watch, left out
  const gates = behind.filter((part) => part.state === "blocked").slice(0, 1);
  const moved = recut.batches.flatMap((one) => one.ids);
  await tx`delete from task_dependency where task_id = any(${[...moved, ...gates.map((gate) => gate.id)]}::uuid[])`;

  const first = Math.max(
    whole.position,
    ...front.map((part) => part.position),
    ...cut.filter((part) => !moved.includes(part.id) && !recut.dropped.includes(part.id)).map((part) => part.position),
  ) + 1;
  const before = front.length > 0 ? [front.at(-1)!.id] : whole.dependsOn;
  const line = lineUp(db, recut, before, gates.map((gate) => gate.id));
  const order = [...line.order, ...behind.map((part) => part.id)];
  const grown = order.length - (parts.length - parts.filter((part) => part.position < first).length);
  const end = Math.max(...parts.map((part) => part.position));
  await tx`update task set position = position + ${grown} where deployment_id = ${row.id} and position > ${end}`;

  await insertTasks(
    tx,
    line.pauses.map(({ id, dependsOn }) => ({
      id,
      projectId: row.projectId,
      deploymentId: row.id,
      parentId: whole.id,
      environmentId: row.environmentId,
      appId: whole.appId,
      name: `wait ${waitSeconds} s`,
      type: "pause" as const,
      position: first + order.indexOf(id),
      isLeaf: false,
      isRollback: false,
      open: row.status === "running",
      maxAttempts: 1,
      dependsOn,
      targetAgentId: null,
      payload: { pauseSeconds: waitSeconds },
      specSha256: null,
    })),
  );
  const edges = line.edges;
  await tx`insert into task_dependency (task_id, depends_on)
    select * from unnest(${edges.map(([id]) => id)}::uuid[], ${edges.map(([, on]) => on)}::uuid[])`;
  await tx`
    update task t set position = r.position, payload = case when r.batch is null then t.payload else t.payload || jsonb_build_object('batch', r.batch) end
    from unnest(${order}::uuid[], ${order.map((_, at) => first + at)}::int[], ${
    order.map((id) => recut.batches.find((one) => one.ids.includes(id))?.number ?? null)
  }::int[]) as r(id, position, batch) where t.id = r.id`;
  await recount(tx, [...moved, ...gates.map((gate) => gate.id), ...line.pauses.map((pause) => pause.id)]);
  await tx`update task set payload = payload || jsonb_build_object('batch', ${
    tx.json(batch)
  }::jsonb), updated_at = boreas_now() where id = ${whole.id}`;
  return true;
}

/** Cancelled before its turn, or skipped for it: what is left keeps its edges, which lead to an end, and a retry needs. */
const isCalledOff = ({ state, batch, attempt, isLeftOut }: Part) =>
  batch !== null && !isLeftOut && attempt === 0 && (state === "cancelled" || state === "skipped");

interface Line {
  order: string[];
  pauses: { id: string; dependsOn: string[] }[];
  /** Of what was there before: task, what it waits for. */
  edges: [string, string][];
}

function lineUp(db: Database, recut: Recut, before: string[], gates: string[]): Line {
  const line: Line = { order: [], pauses: [], edges: [] };
  let previous = recut.behind.length > 0 ? recut.behind : before;
  for (const { ids, hasNewPause } of recut.batches) {
    if (hasNewPause) {
      const id = db.newId();
      line.pauses.push({ id, dependsOn: previous });
      line.order.push(id);
      previous = [id];
    }
    for (const id of ids) line.edges.push(...previous.map((on): [string, string] => [id, on]));
    line.order.push(...ids);
    previous = ids;
  }
  for (const gate of gates) line.edges.push(...previous.map((on): [string, string] => [gate, on]));
  return line;
}

/** How much each waits for now. What stands behind something that has ended waits for the rest of it only. */
export async function recount(tx: Tx, ids: string[]): Promise<void> {
  await tx`
    update task t set unmet = w.unmet, updated_at = boreas_now(), reason = case when t.reason ->> 'code' = 'task.waiting_for_dependencies'
        then jsonb_build_object('code', 'task.waiting_for_dependencies', 'params', jsonb_build_object('names', w.names), 'text', format('Waiting for %s.', w.names))
        else t.reason end
    from (
      select d.task_id, string_agg(b.name, ', ' order by b.position) as names,
        count(*) filter (where not (b.state = 'success' or b.state = 'skipped' and b.payload ? 'leftOut' or b.state = 'failed' and p.max_failures >=
          (select count(*) from task c where c.parent_id = p.id and c.state = 'failed')))::int as unmet
      from task_dependency d join task b on b.id = d.depends_on left join task p on p.id = b.parent_id
      where d.task_id = any(${ids}::uuid[]) group by d.task_id
    ) w where t.id = w.task_id`;
}

export const sayRecut = (actor: string, batch: number | string) => reason("deployment.rebatched", { actor, batch });
