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
