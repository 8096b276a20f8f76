import type { Database } from "../database.ts";
import { whenAsked } from "../retry.ts";

/**
 * Lets go of deployments: from here on they are shown and acted on no more, however long their rows take to go. Looks
 * again at each under its lock: one that a person took up again meanwhile stays.
 */
export async function retireDeployments(db: Database, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0;
  const rows = await whenAsked(() =>
    db.sql`
      update deployment set retired_at = boreas_now() where id in (
        select id from deployment where id = any(${[...ids]}::uuid[]) and retired_at is null
          and status not in ('pending', 'awaiting_approval', 'running', 'paused', 'cancelling', 'rolling_back')
        order by id for update skip locked)
      returning id`
  );
  return rows.length;
}
