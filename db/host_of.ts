import type { Fragment, Sql } from "./client.ts";
import type { Tx } from "./database.ts";

/** Host and port of an address (`https://host:1/path`, `git@host:path`), as text; empty where it has none. For sharing room fairly. */
export const hostOf = (sql: Sql | Tx, address: Fragment): Fragment =>
  sql`coalesce(lower(substring(${address} from '^[a-zA-Z+]+://(?:[^/@]*@)?([^/?#@]*)')), lower(substring(${address} from '^(?:[^/@:]+@)?([^/:]+):')), '')`;

/** For work of which each key has a share: what has begun already, and how much more may. */
export interface Room {
  most: number;
  share: number;
  /** How many of each key are at it. */
  held: Record<string, number>;
}

/**
 * Parts of a statement that choose, out of `waiting` (`id`, `run_after`, `host`), the longest due that there is room for:
 * `room` (`id`, `host`).
 */
export const chooseWithin = (sql: Sql | Tx, { most, share, held }: Room): Fragment =>
  sql`placed as (
      select *, row_number() over (partition by host order by run_after, id) as place from waiting
    ), room as (
      select id, host from placed where place + coalesce((${sql.json(held)}::jsonb ->> host)::int, 0) <= ${share}
      order by run_after, id limit ${most}
    )`;
