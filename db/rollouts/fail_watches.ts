/**
 * A release turned bad on a machine while its application is rolled out or watched: what waits of the application is
 * skipped and the watch fails, for which nothing is tolerated. The deployment's own move follows in the same
 * transaction: back, or a question, or a stop, as its strategy says.
 *
 *   gate: blocked (not everywhere yet) | pending (watching) --a machine says it turned bad--> failed
 *
 * An agent is believed of what it has deployed itself in that deployment, and of no other version. Said again, it
 * changes nothing.
 */
import { reason } from "../../domain/reason.ts";
import type { Observed } from "../../protocol/observed.ts";
import type { Database, Tx } from "../database.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments, settleTasks } from "../tasks/settle_tasks.ts";
import type { EndedTask } from "../tasks/settle_tasks.ts";

interface Watch {
  id: string;
  parentId: string;
  environmentId: string;
  application: string;
  target: string;
  /** Since the release was in place there. */
  seconds: number;
}

/** What an agent said of a release that turned bad; undefined of all others. */
export const whyBad = ({ details }: Pick<Observed, "details">): string | undefined =>
  typeof details.turnedBad === "string" && details.turnedBad !== "" ? details.turnedBad : undefined;

/** @returns how many watches failed by it */
export async function failWatches(db: Database, agentId: string, observed: readonly Observed[]): Promise<number> {
  const bad = observed.filter((one) => whyBad(one) !== undefined);
  if (bad.length === 0) return 0;
  const found = await findWatches(db.sql, agentId, bad);
  if (found.length === 0) return 0;
  return await inTransaction(db, async (tx) => {
    const deployments = await lockDeployments(tx, found.map((watch) => watch.id));
    const watches = await findWatches(tx, agentId, bad); // as it is now that nobody moves them
    for (const watch of watches) await failWatch(tx, watch, bad);
    await moveDeployments(db, tx, deployments);
    return watches.length;
  });
}

async function findWatches(sql: Database["sql"] | Tx, agentId: string, bad: readonly Observed[]): Promise<Watch[]> {
  return await sql<Watch[]>`
    select distinct on (w.id) w.id, w.parent_id, w.environment_id, a.name as application,
      coalesce(t.payload -> 'target' ->> 'name', '-') as target,
      floor(extract(epoch from boreas_now() - t.completed_at))::int as seconds
    from unnest(${bad.map((one) => one.environmentId)}::text[], ${bad.map((one) => one.application)}::text[],
      ${bad.map((one) => one.version)}::text[], ${
    bad.map((one) => one.target)
  }::text[]) as r(environment_id, application, version, target)
    join deployment d on d.environment_id::text = r.environment_id and d.status in ('running', 'paused')
    join task w on w.deployment_id = d.id and w.type = 'gate' and w.payload ->> 'kind' = 'watch' and w.state in ('blocked', 'pending')
    join application a on a.id = w.app_id and a.name = r.application
    join task t on t.parent_id = w.parent_id and t.is_leaf and t.state = 'success' and not t.payload ? 'decision' and t.payload ->> 'action' in ('deploy', 'switch')
      and coalesce(t.target_agent_id, t.last_agent_id) = ${agentId} and t.payload ->> 'version' = r.version
    order by w.id, coalesce(t.payload -> 'target' ->> 'name', '-') = r.target desc`;
}

async function failWatch(tx: Tx, watch: Watch, bad: readonly Observed[]): Promise<void> {
  const { application, environmentId, target, seconds } = watch;
  const said = bad.find((one) => one.application === application && one.environmentId === environmentId)!;
  const machine = target === "-" ? application : target;
  const why = reason("task.turned_bad", { machine, seconds, detail: whyBad(said)! });
  const skipped = reason("task.skipped_stopped", { detail: `${machine} turned bad.` });
  await tx`update task set max_failures = 0 where id = ${watch.parentId}`;
  // A gate's script that still measures has nothing left to decide.
  await tx`update task set state = 'cancelling', state_since = boreas_now(), updated_at = boreas_now()
    where parent_id = ${watch.parentId} and is_leaf and type = 'gate' and state in ('leased', 'running')`;
  const ended = await tx<EndedTask[]>`
    update task t set state = case when t.id = ${watch.id} then 'failed' else 'skipped' end,
      reason = case when t.id = ${watch.id} then ${tx.json(why as never)}::jsonb else ${
    tx.json(skipped as never)
  }::jsonb end,
      result = case when t.id = ${watch.id} then ${
    tx.json({ status: "failed", code: "health.turned_bad", message: why.text, machines: [target] })
  }::jsonb else t.result end,
      completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now()
    where t.parent_id = ${watch.parentId} and t.state in ('blocked', 'pending')
    returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
  await settleTasks(tx, ended);
}
