import type { Fragment, Sql } from "../client.ts";
import type { Tx } from "../database.ts";

/**
 * Whether a deployment that runs may have a move to make: something has failed, or the last task in order has ended. So a
 * task's end costs the same in a plan of ten tasks and of ten thousand. `offset 0`: or a plan made while few had failed may
 * read all that ever failed, of all deployments, each time.
 */
export const mayMove = (sql: Sql | Tx, deploymentId: Fragment): Fragment =>
  sql`exists (select from task other where other.deployment_id = ${deploymentId} and other.state = 'failed' offset 0)
        or (select last.completed_at is not null from task last where last.deployment_id = ${deploymentId} order by last.position desc limit 1)`;
