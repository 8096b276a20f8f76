/**
 * What waits for tasks that have ended well is counted down, and woken when it waits for nothing more: parts of a
 * statement, which the end of a task itself carries, so that the next one costs no statement of its own.
 */
import type { Fragment } from "../client.ts";
import type { Tx } from "../database.ts";
import { dueWhenBegun, sayBegun } from "./begin_wait.ts";

/**
 * `woken`: all that was counted down; what is `pending` there was the last to be waited for.
 * @param edges rows of `task_id`, one for each dependency that is met
 */
export const wakeDependents = (tx: Tx, edges: Fragment): Fragment =>
  tx`
    met as (
      select coalesce(array_agg(task_id), '{}') as ids, jsonb_object_agg(task_id, n) as counts
      from (select task_id, count(*)::int as n from (${edges}) edges group by task_id) each
    ),
    woken as (
      update task t set unmet = ${left(tx)}, updated_at = boreas_now(),
        state = case when ${left(tx)} = 0 then 'pending' else t.state end,
        state_since = case when ${left(tx)} = 0 then boreas_now() else t.state_since end,
        run_after = case when ${left(tx)} = 0 then ${dueWhenBegun(tx)} else t.run_after end,
        reason = case when ${left(tx)} = 0 then ${sayBegun(tx)} else t.reason end
      where t.id = any((select ids from met)::uuid[]) and t.state = 'blocked'
      returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason, t.position
    )`;

/**
 * No join: there is one way to run it, by the ids, whatever a plan thinks of the table's size. One that was made while the
 * table was small read all of it for ever, another compared each dependent with each count.
 */
const left = (tx: Tx) => tx`(t.unmet - ((select counts from met) ->> t.id::text)::int)`;
