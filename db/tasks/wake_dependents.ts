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
    met as (select task_id, count(*)::int as n from (${edges}) edges group by task_id),
    woken as (
      update task t set unmet = t.unmet - met.n, updated_at = boreas_now(),
        state = case when t.unmet = met.n then 'pending' else t.state end,
        state_since = case when t.unmet = met.n then boreas_now() else t.state_since end,
        run_after = case when t.unmet = met.n then ${dueWhenBegun(tx)} else t.run_after end,
        reason = case when t.unmet = met.n then ${sayBegun(tx)} else t.reason end
      -- Said twice: without the ids, a plan made while the table is small reads all of it for ever.
      from met where t.id = any(array(select task_id from met)) and t.id = met.task_id and t.state = 'blocked'
      returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason, t.position
    )`;
