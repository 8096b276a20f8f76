import type { Sql } from "../../db/client.ts";

/** How many of this database's connections wait for somebody's lock: whoever was to run into one has. */
export const waitingForLocks = async ({ sql }: { sql: Sql }): Promise<number> =>
  (await sql`select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`).length;
