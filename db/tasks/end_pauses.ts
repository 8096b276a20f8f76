import { reason } from "../../domain/reason.ts";
import type { Database, Tx } from "../database.ts";
import { moveDeployments } from "../deployments/move_deployments.ts";
import { inTransaction } from "../retry.ts";
import { lockDeployments, settleTasks } from "./settle_tasks.ts";
import type { EndedTask } from "./settle_tasks.ts";

/**
 * Ends the waits whose time has come; a release that was watched meanwhile has stood the test.
 * @returns how many ended, and when the next one is due (null: none waits)
 */
export async function endPauses(db: Database): Promise<{ ended: number; nextInSeconds: number | null }> {
  return await inTransaction(db, async (tx) => {
    const due = await tx<{ id: string }[]>`
      select id from task where state = 'pending' and open and type in ('pause', 'gate') and run_after <= boreas_now() order by run_after limit 500`;
    if (due.length > 0) {
      const ids = due.map((d) => d.id);
      const deployments = await lockDeployments(tx, ids);
      const ended = await tx<EndedTask[]>`
        update task t set state = 'success', completed_at = boreas_now(), state_since = boreas_now(), updated_at = boreas_now(),
          started_at = coalesce(started_at, boreas_now()), reason = case when t.type = 'pause' then ${
        tx.json(reason("task.pause_over") as never)
      } else ${sayWatched(tx)} end
        where t.id = any(${ids}::uuid[]) and t.state = 'pending' and t.open
        returning t.id, t.project_id, t.deployment_id, t.parent_id, t.name, t.state, t.reason`;
      await settleTasks(tx, ended);
      await moveDeployments(db, tx, deployments);
    }
    const [next] = await tx<{ seconds: number | null }[]>`
      select extract(epoch from min(run_after) - boreas_now())::float8 as seconds from task where state = 'pending' and open and type in ('pause', 'gate')`;
    return { ended: due.length, nextInSeconds: next!.seconds };
  });
}

const sayWatched = (tx: Tx) =>
  tx`jsonb_build_object('code', 'task.watched', 'params', jsonb_build_object('seconds', t.payload -> 'pauseSeconds'),
    'text', format('Watched for %s s, and nothing turned bad.', t.payload ->> 'pauseSeconds'))`;
