/**
 * Tasks whose machine is not there though it is their turn:
 *
 *   pending, machine away --says so, and until when--> machine back: ready again
 *                                                  '-> deadline: left out, or failed, as the environment's policy says
 *
 * Run by the leader now and then. Nothing is kept between two runs but the reason in the row, so a crash costs one sweep.
 */
import { decideMissing } from "../../domain/missing_machine.ts";
import type { MissingFate, MissingMachine, OfflinePolicy } from "../../domain/missing_machine.ts";
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import { type Aside, noAside } from "../aside.ts";
import type { Database, Tx } from "../database.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { pendingEvent, recordEvents } from "../events/record_event.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments, settleTasks } from "../tasks/settle_tasks.ts";
import type { EndedTask } from "../tasks/settle_tasks.ts";

const AT_ONCE = 1000;

interface Row extends Pick<MissingMachine, "status" | "cordoned" | "isRollback"> {
  id: string;
  machine: string;
  version: string;
  /** An application is taken away there. */
  isRemoval: boolean;
  policy: OfflinePolicy | null;
  said: Reason;
  /** Milliseconds of the database's clock. */
  since: number;
  now: number;
}
interface Missing extends Row {
  fate: MissingFate;
}

/** A connection that broke is usually back before anybody has read that it is gone. */
const TELL_AFTER_MS = 2000;

/** @returns whether anything ended or was said */
export async function settleMissing(db: Database, aside: Aside = noAside): Promise<boolean> {
  let changed = await giveBack(db);
  // All of them, part by part: a thousand that wait for long must not keep others from their deadline.
  for (let after = "00000000-0000-0000-0000-000000000000", isMore = true; isMore;) {
    const rows = await readMissing(db, after);
    const missing = rows.map((row): Missing => ({ ...row, fate: decideMissing(row, row.policy ?? undefined) }));
    const over = missing.filter(({ fate, now }) => fate.until <= now);
    const waiting = missing.filter(({ fate, now, since }) => fate.until > now && now - since >= TELL_AFTER_MS);
    const overById = new Map(over.map((one) => [one.id, one]));
    changed += await aside.attemptAll(
      [...overById.keys()],
      (ids) => endMissing(db, ids.map((id) => overById.get(id)!)),
    );
    changed += await tell(db, waiting);
    isMore = rows.length === AT_ONCE;
    after = rows.at(-1)?.id ?? after;
  }
  return changed + await forgetReturned(db) > 0;
}

async function readMissing(db: Database, after: string): Promise<Row[]> {
  return await db.sql<Row[]>`
    select t.id, a.name as machine, a.status, a.cordoned, t.is_rollback, coalesce(t.payload ->> 'version', '') as version,
      coalesce(t.payload ->> 'action' = 'remove', false) and not t.is_rollback as is_removal, e.config -> 'offline' as policy, t.reason as said, extract(epoch from boreas_now())::float8 * 1000 as now,
      extract(epoch from greatest(t.state_since, case when a.status = 'connected' then t.state_since else a.last_seen_at end))::float8 * 1000 as since
    from task t join agent a on a.id = t.target_agent_id join environment e on e.id = t.environment_id
    where t.state = 'pending' and t.open and t.is_leaf and t.target_agent_id is not null and (a.status <> 'connected' or a.cordoned)
      and not t.payload ?| array['cannot', 'cleanUp'] and t.id > ${after}
    order by t.id limit ${AT_ONCE}`;
}

/** Of what any agent may run and another could not (`move_on.ts`): it has no machine of its own to wait for. */
async function giveBack(db: Database): Promise<number> {
  const rows = await db.sql`
    update task t set target_agent_id = null, updated_at = boreas_now() from agent a
    where t.state = 'pending' and t.open and t.is_leaf and t.target_agent_id = a.id and t.payload ? 'cannot'
      and (a.status <> 'connected' or a.cordoned) returning t.id`;
  return rows.length;
}

async function endMissing(db: Database, over: readonly Missing[]): Promise<number> {
  if (over.length === 0) return 0;
  return await inTransaction(db, async (tx) => {
    const deployments = await lockDeployments(tx, over.map((one) => one.id));
    const written = over.map((one) => ({
      id: one.id,
      state: one.fate.then === "skip" ? "skipped" : "failed",
      reason: sayEnd(one),
      why: one.fate.why,
      status: one.status,
      cordoned: one.cordoned,
    }));
    // The machine as it was read: who has waited for the locks above may find that it is back.
    const ended = await tx<EndedTask[]>`
      update task t set state = r.state, reason = r.reason, completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now(),
        payload = case when r.state = 'skipped' then t.payload || jsonb_build_object('leftOut', r.why) else t.payload end
      from jsonb_to_recordset(${
      tx.json(written as never)
    }) as r(id uuid, state text, reason jsonb, why text, status text, cordoned boolean), agent a
      where t.id = r.id and t.state = 'pending' and t.open and a.id = t.target_agent_id and a.status = r.status and a.cordoned = r.cordoned
      returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason, t.state = 'skipped' as is_left_out`;
    await skipItsOtherParts(tx, ended);
    await skipEmptyWaits(tx, ended);
    await settleTasks(tx, ended);
    await moveDeployments(db, tx, deployments);
    return ended.length;
  });
}

/** What else a machine would have done for the application comes with its release, when it catches up. */
async function skipItsOtherParts(tx: Tx, ended: EndedTask[]): Promise<void> {
  const ids = ended.filter((task) => task.isLeftOut).map((task) => task.id);
  if (ids.length === 0) return;
  ended.push(
    ...await tx<EndedTask[]>`
    update task t set state = 'skipped', reason = m.reason, completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now(),
      payload = t.payload || jsonb_build_object('leftOut', m.payload -> 'leftOut')
    from task m where m.id = any(${ids}::uuid[]) and t.parent_id = m.parent_id and t.target_agent_id = m.target_agent_id
      and t.is_leaf and t.state in ('blocked', 'pending') and not t.payload ? 'cannot'
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason, true as is_left_out`,
  );
}

/** Where every machine of an application is left out, there is nothing to wait for, to ask or to watch. */
export async function skipEmptyWaits(tx: Tx, ended: EndedTask[]): Promise<void> {
  const parents = ended.filter((task) => task.isLeftOut).flatMap((task) => task.parentId ?? []);
  if (parents.length === 0) return;
  const said = reason("task.skipped_stopped", { detail: "every machine was left out." });
  ended.push(
    ...await tx<EndedTask[]>`
    update task t set state = 'skipped', reason = ${
      tx.json(said as never)
    }, completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now()
    where t.parent_id = any(${parents}::uuid[]) and t.payload -> 'target' ->> 'name' is null and t.state in ('blocked', 'pending')
      and not exists (select from task c where c.parent_id = t.parent_id and c.payload -> 'target' ->> 'name' is not null and not (c.state = 'skipped' and c.payload ? 'leftOut'))
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`,
  );
}

const sayEnd = ({ machine, version, since, fate, isRemoval }: Missing): Reason => {
  const at = instant(since);
  if (isRemoval && fate.then === "skip") {
    if (fate.why === "cordoned") return reason("task.removal_left_out_cordoned", { machine });
    return reason("task.removal_left_out_offline", { machine, since: at });
  }
  if (fate.why === "cordoned" && fate.then === "skip") return reason("task.left_out_cordoned", { machine, version });
  if (fate.then === "skip") return reason("task.left_out_offline", { machine, since: at, version });
  if (fate.why === "revoked") return reason("task.machine_revoked", { machine });
  if (fate.why === "cordoned") return reason("task.machine_cordoned", { machine });
  return reason("task.machine_missing", { machine, since: at });
};
const sayWait = ({ machine, since, fate }: Missing): Reason => {
  const until = instant(fate.until);
  if (fate.why === "cordoned") return reason("task.waiting_for_cordoned", { machine, until });
  const code = fate.then === "skip" ? "task.waiting_for_machine_or_skip" : "task.waiting_for_machine";
  return reason(code, { machine, since: instant(since), until });
};
const instant = (milliseconds: number) =>
  new Date(Math.round(milliseconds / 1000) * 1000).toISOString().replace(".000", "");

async function tell(db: Database, waiting: readonly Missing[]): Promise<number> {
  const news = waiting.map((one) => ({ id: one.id, reason: sayWait(one), before: one.said.text }))
    .filter((one) => one.reason.text !== one.before);
  return await write(db, news);
}

/** A machine that is back, or was uncordoned: its tasks are ready like any others. */
async function forgetReturned(db: Database): Promise<number> {
  const rows = await db.sql<{ id: string }[]>`
    select t.id from task t join agent a on a.id = t.target_agent_id
    where t.state = 'pending' and t.open and t.is_leaf and t.target_agent_id is not null
      and t.reason ->> 'code' in ('task.waiting_for_machine', 'task.waiting_for_machine_or_skip', 'task.waiting_for_cordoned') and a.status = 'connected' and not a.cordoned limit ${AT_ONCE}`;
  return await write(db, rows.map(({ id }) => ({ id, reason: reason("task.ready") })));
}

async function write(db: Database, news: readonly { id: string; reason: Reason }[]): Promise<number> {
  if (news.length === 0) return 0;
  return await inTransaction(db, async (tx) => {
    const rows = await tx<{ id: string; projectId: string; deploymentId: string; name: string; reason: Reason }[]>`
      update task t set reason = r.reason, updated_at = boreas_now()
      from jsonb_to_recordset(${tx.json(news as never)}) as r(id uuid, reason jsonb)
      where t.id = r.id and t.state = 'pending' and t.open
      returning t.id, t.project_id, t.deployment_id, t.name, t.reason`;
    await recordEvents(tx, rows.map(pendingEvent));
    return rows.length;
  });
}
