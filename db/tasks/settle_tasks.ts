/**
 * What follows when tasks have ended, in the transaction that ended them:
 *
 *   ended -> unblock dependents (or skip them) -> roll up parents -> those that ended with it, again ... -> deployments move
 *
 * So no poller stands between a finished task and the next one, and a crash leaves either all of it or nothing. The
 * caller holds the rows of the deployments concerned (`lockDeployments`), in id order: no deadlock, and no two siblings
 * that each see the other unfinished.
 */
import { reason } from "../../domain/reason.ts";
import type { Reason } from "../../domain/reason.ts";
import { rollUpParent } from "../../domain/roll_up.ts";
import type { StateCounts } from "../../domain/roll_up.ts";
import { isFinal } from "../../domain/task_state.ts";
import type { TaskState } from "../../domain/task_state.ts";
import type { Tx } from "../database.ts";
import { pendingEvent, recordEvents } from "../events/record_event.ts";
import type { NewEvent } from "../events/record_event.ts";
import { heardLater } from "../retry.ts";
import { wakeDependents } from "./wake_dependents.ts";

export interface EndedTask {
  id: string;
  projectId: string;
  deploymentId: string;
  parentId: string | null;
  name: string;
  state: TaskState;
  reason: Reason;
  /** Skipped because its machine is away: those that wait for it go on, and its whole does not count it. */
  isLeftOut?: boolean;
  /** The statement that ended it has told of it, and, if it succeeded, has woken what waited for it. */
  isTold?: boolean;
}

/**
 * Takes the rows of these tasks' deployments, in id order. Every verb that ends tasks begins with it. They keep their
 * keys, so whoever only adds a row that refers to one does not wait.
 */
export async function lockDeployments(tx: Tx, taskIds: readonly string[]): Promise<string[]> {
  const rows = await tx<{ id: string }[]>`
    select id from deployment where id in (select deployment_id from task where id = any(${taskIds}::uuid[])) order by id for no key update`;
  return rows.map((r) => r.id);
}

export async function settleTasks(tx: Tx, ended: readonly EndedTask[]): Promise<void> {
  const { events, written } = await settle(tx, ended);
  await Promise.all([recordEvents(tx, events), ...written]);
}

export interface Settled {
  /** Left for the caller to record. */
  events: NewEvent[];
  /** Ready now: nothing they waited for is left. */
  woken: string[];
  /** More has ended by it than was given. */
  isWider: boolean;
  /** Writes that are under way, for the caller to wait for: nothing depends on their answers. */
  written: Promise<unknown>[];
}

/** The same, with events that the caller records. */
export async function settle(tx: Tx, ended: readonly EndedTask[]): Promise<Settled> {
  const events: NewEvent[] = [];
  const woken: string[] = [];
  const writes: Promise<unknown>[] = [];
  let wave = [...ended];
  let isWider = false;
  while (wave.length > 0) {
    for (const task of wave) if (!task.isTold) events.push(taskEvent(task));
    const { good, bad } = await sortOut(tx, wave);
    const unblocking = unblock(tx, good.filter((t) => !t.isTold || t.state !== "success"), bad, events).then((ids) =>
      woken.push(...ids)
    );
    if (bad.length === 0) {
      // Sent behind the unblocking without waiting for its answer.
      [wave] = await Promise.all([rollUpParents(tx, wave, events, writes), unblocking]);
      isWider ||= wave.length > 0;
      continue;
    }
    await unblocking;
    const skipped = await skipDependents(tx, bad);
    for (const task of skipped) events.push(taskEvent(task));
    wave = await rollUpParents(tx, [...wave, ...skipped], events, writes);
    isWider ||= skipped.length + wave.length > 0;
  }
  return { events, woken, isWider, written: writes };
}

const taskEvent = (t: EndedTask): NewEvent => ({
  topic: "task",
  projectId: t.projectId,
  subjectId: t.id,
  deploymentId: t.deploymentId,
  kind: `task.${t.state}`,
  data: { name: t.name, reason: t.reason },
});

/** A failed part that its whole tolerates counts as done for those that wait for it. */
async function sortOut(tx: Tx, wave: EndedTask[]): Promise<{ good: EndedTask[]; bad: EndedTask[] }> {
  const failedParts = wave.filter((t) => t.state === "failed" && t.parentId);
  const tolerant = new Set<string>();
  if (failedParts.length > 0) {
    const parents = [...new Set(failedParts.map((t) => t.parentId!))];
    await endTolerance(tx, parents);
    const rows = await tx<{ id: string }[]>`
      select p.id from task p where p.id = any(${parents}::uuid[]) and p.max_failures > 0
        and p.max_failures >= (select count(*) from task c where c.parent_id = p.id and c.state = 'failed')`;
    for (const row of rows) tolerant.add(row.id);
  }
  const isTolerated = (t: EndedTask) => t.parentId !== null && tolerant.has(t.parentId);
  const isGood = (t: EndedTask) =>
    (t.isLeftOut && t.parentId !== null) || t.state === "success" || (t.state === "failed" && isTolerated(t));
  return { good: wave.filter(isGood), bad: wave.filter((t) => !isGood(t)) };
}

/**
 * What a whole tolerates are machines that fail, and no more of a canary step's than that step says. A hook, a gate or an
 * approval that fails is a verdict on the release; of a rollback, only a hook may fail.
 */
async function endTolerance(tx: Tx, parentIds: readonly string[]): Promise<void> {
  await tx`
    update task p set max_failures = 0 where p.id = any(${parentIds}::uuid[]) and p.max_failures > 0 and exists (
      select 1 from task f where f.parent_id = p.id and f.state = 'failed' and (
        f.type in ('gate', 'approval', 'rollback') or f.type = 'hook' and not f.is_rollback
        or (f.payload -> 'step' ->> 'maxFailures')::int < (select count(*) from task s where s.parent_id = p.id
          and s.state = 'failed' and s.payload -> 'step' -> 'number' = f.payload -> 'step' -> 'number')))`;
}

/**
 * Counts down what waits for these. A rollback goes on whatever became of the tasks before it: it must always end, and
 * it waits for them only so that the two never overlap.
 */
async function unblock(tx: Tx, good: EndedTask[], bad: EndedTask[], events: NewEvent[]): Promise<string[]> {
  if (good.length + bad.length === 0) return [];
  const rows = await tx<(Parameters<typeof pendingEvent>[0])[]>`
    with ${
    wakeDependents(
      tx,
      tx`
        select d.task_id from task_dependency d where d.depends_on = any(${good.map((t) => t.id)}::uuid[])
        union all
        select d.task_id from task_dependency d join task w on w.id = d.task_id
          where d.depends_on = any(${bad.map((t) => t.id)}::uuid[]) and w.is_rollback`,
    )
  } select id, project_id, deployment_id, name, reason from woken where state = 'pending' order by position, id`;
  events.push(...rows.map(pendingEvent));
  return rows.map((row) => row.id);
}

/**
 * Ends, transitively, what can never begin. When the deployment asks first (`pause`), what waits for a failed task keeps
 * waiting: a retry may mend it. Nobody is asked about a cancelled one.
 */
async function skipDependents(tx: Tx, bad: EndedTask[]): Promise<EndedTask[]> {
  return await tx<EndedTask[]>`
    with recursive doomed as (
      select d.task_id, b.name, b.state from task_dependency d
        join task b on b.id = d.depends_on join deployment p on p.id = b.deployment_id
        join task t on t.id = d.task_id
        where b.id = any(${bad.map((t) => t.id)}::uuid[]) and not t.is_rollback and t.state = 'blocked'
          and (p.on_failure <> 'pause' or p.status not in ('running', 'paused') or b.state <> 'failed')
      union
      select d.task_id, t.name, 'skipped' from doomed x join task t on t.id = x.task_id
        join task_dependency d on d.depends_on = x.task_id join task u on u.id = d.task_id
        where not u.is_rollback and u.state = 'blocked'
    ), first as (select distinct on (task_id) task_id, name, state from doomed order by task_id, state)
    update task t set state = 'skipped', completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now(),
      reason = jsonb_build_object('code', 'task.skipped_dependency',
        'params', jsonb_build_object('name', f.name, 'outcome', w.word), 'text', format('Skipped because %s %s.', f.name, w.word))
    from first f, lateral (select case f.state when 'failed' then 'failed' when 'cancelled' then 'was cancelled' else 'was skipped' end as word) w
    where t.id = f.task_id and t.state = 'blocked'
      and not exists (select 1 from task c where c.parent_id = t.id and c.completed_at is not null) -- it is what its parts became
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
}

/** Brings parents up to date with their parts; returns the parents that ended by it. */
async function rollUpParents(
  tx: Tx,
  parts: readonly EndedTask[],
  events: NewEvent[],
  writes: Promise<unknown>[],
): Promise<EndedTask[]> {
  const parentIds = [...new Set(parts.flatMap((t) => t.parentId ?? []))].sort();
  if (parentIds.length === 0) return [];
  const rows = await tx<
    (EndedTask & {
      maxFailures: number;
      counts: StateCounts | null;
      leftOut: number;
      cause: { name: string; text: string } | null;
    })[]
  >`
    select p.id, p.project_id, p.deployment_id, p.parent_id, p.name, p.state, p.reason, p.max_failures,
      c.counts, c.left_out, case when c.counts ? 'failed' then (
        select jsonb_build_object('name', f.name, 'text', f.reason ->> 'text') from task f
        where f.parent_id = p.id and f.state = 'failed' order by f.completed_at, f.id limit 1) end as cause
    from task p, lateral (
      select jsonb_object_agg(s.state, s.n) filter (where not s.is_left_out) as counts,
        coalesce(sum(s.n) filter (where s.is_left_out), 0)::int as left_out
      from (select state, state = 'skipped' and payload ? 'leftOut' as is_left_out, count(*)::int as n
        from task where parent_id = p.id group by 1, 2) s
    ) c where p.id = any(${parentIds}::uuid[]) order by p.id for update of p`;
  const changed: EndedTask[] = [];
  for (const parent of rows) {
    if (isFinal(parent.state)) continue;
    const counts = parent.counts ?? {}; // every part may have been left out
    const state = rollUpParent(counts, parent.maxFailures, parent.state);
    const said = sayParent(counts, state, parent.cause, parent.leftOut);
    if (state !== parent.state || said.text !== parent.reason.text) changed.push({ ...parent, state, reason: said });
  }
  if (changed.length === 0) return [];
  const written = changed.map(({ id, state, reason }) => ({ id, state, reason, final: isFinal(state) }));
  writes.push(heardLater(tx`
    update task t set state = r.state, reason = r.reason, updated_at = boreas_now(),
      state_since = case when t.state = r.state then t.state_since else boreas_now() end,
      unmet = case when r.state = 'blocked' then t.unmet else 0 end,
      started_at = case when r.state in ('blocked', 'pending', 'skipped') then t.started_at else coalesce(t.started_at, boreas_now()) end,
      completed_at = case when r.final then boreas_now() end
    from jsonb_to_recordset(${
    tx.json(written as never)
  }) as r(id uuid, state text, reason jsonb, final boolean) where t.id = r.id`.then(() => {})));
  for (const parent of changed) if (!isFinal(parent.state)) events.push(taskEvent(parent));
  return changed.filter((parent) => isFinal(parent.state));
}

function sayParent(
  counts: StateCounts,
  state: TaskState,
  cause: { name: string; text: string } | null,
  leftOut: number,
): Reason {
  const all = Object.values(counts).reduce((sum: number, n) => sum + (n ?? 0), 0);
  if (state === "failed") {
    return reason("task.parts_failed", {
      failed: counts.failed ?? 0,
      count: all,
      task: cause?.name ?? "a part",
      detail: cause?.text ?? "",
    });
  }
  if (state === "success") {
    const failed = counts.failed ?? 0;
    return reason("task.succeeded", {
      detail: failed
        ? `${counts.success} of ${all} parts succeeded; ${failed} failed, which does not keep the rest from going on.`
        : leftOut
        ? `${all} parts succeeded; ${leftOut} ${leftOut === 1 ? "machine was" : "machines were"} left out.`
        : `All ${all} parts succeeded.`,
    });
  }
  if (state === "cancelled") {
    return reason("task.cancelled", { detail: `${counts.cancelled} of ${all} parts were cancelled.` });
  }
  if (state === "skipped") {
    const done = (counts.success ?? 0) + (counts.failed ?? 0);
    const detail = done > 0 ? `only ${done} of ${all} parts were begun.` : "none of its parts was begun.";
    return reason("task.skipped_stopped", { detail });
  }
  if (state === "blocked") return reason("task.waiting_for_dependencies", { names: "what comes before it" });
  if (state === "pending") return reason("task.ready");
  return reason("task.children_running", { done: (counts.success ?? 0) + (counts.failed ?? 0), count: all });
}
