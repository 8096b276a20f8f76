/** Which tables a backup has, read from the database itself: a release and the one before differ in columns. */
import { getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import type { Sql } from "../client.ts";
import type { Tx } from "../database.ts";
import * as schema from "../schema.ts";

/**
 * Left out: what is good for minutes, and what must not come back to life. Somebody may have signed out, used a join
 * token up or followed a link since.
 */
export const LEFT_OUT: readonly string[] = [
  "agent_query",
  "agent_query_chunk",
  "approval_link",
  "enrollment_token",
  "idempotency",
  "leader",
  "refresh_token",
  "source_query",
];

export interface StoredTable {
  table: string;
  columns: string[];
  /** Counted by the database itself, one after the other. */
  counters: string[];
}

const ours = (): string[] =>
  Object.values(schema).filter((value) => is(value, PgTable)).map((table) => getTableName(table as PgTable));

/** Each after those that it refers to. */
export async function readStoredTables(sql: Sql | Tx): Promise<StoredTable[]> {
  const tables = await sql<StoredTable[]>`
    select c.relname as table, array_agg(a.attname::text order by a.attnum) as columns,
      coalesce(array_agg(a.attname::text) filter (where a.attidentity <> ''), '{}') as counters
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    where c.relkind = 'r' and c.relnamespace = (select relnamespace from pg_class where oid = to_regclass('setting'))
      and c.relname = any(${ours().filter((name) => !LEFT_OUT.includes(name))}::text[])
    group by c.relname order by c.relname`;
  const references = await sql<{ from: string; to: string }[]>`
    select distinct f.relname as from, t.relname as to from pg_constraint k
      join pg_class f on f.oid = k.conrelid join pg_class t on t.oid = k.confrelid
    where k.contype = 'f' and f.oid <> t.oid`;
  const sorted: StoredTable[] = [];
  let left = [...tables];
  while (left.length > 0) {
    const isFree = ({ table }: StoredTable) =>
      !references.some((r) => r.from === table && left.some((other) => other.table === r.to));
    const free = left.filter(isFree);
    if (free.length === 0) throw new Error(`The tables ${left.map((t) => t.table).join(", ")} refer to each other.`);
    sorted.push(...free);
    left = left.filter((one) => !free.includes(one));
  }
  return sorted;
}

export const quoteNames = (names: readonly string[]): string =>
  names.map((name) => `"${name.replaceAll('"', '""')}"`).join(", ");
