/** The mark of a database whose rows were loaded and are not safe to work on yet: of another time, with its leases. */
import type { Sql } from "../client.ts";
import type { Tx } from "../database.ts";
import type { BackupHeader } from "./backup_format.ts";
import { quoteNames, readStoredTables } from "./stored_tables.ts";

const KEY = "restoring";
/** What the migrations and a first start put there by themselves. */
const ALWAYS_THERE = ["project", "setting", "leader"];

type Mark = Pick<BackupHeader, "takenAt">;

export async function markRestoring(tx: Tx, { takenAt }: Mark): Promise<void> {
  await tx`insert into setting (key, value) values (${KEY}, ${tx.json({ takenAt })})`;
}
export async function unmarkRestoring(tx: Tx): Promise<void> {
  await tx`delete from setting where key = ${KEY}`;
}
export async function readRestoring(sql: Sql | Tx): Promise<Mark | undefined> {
  return (await sql<{ value: Mark }[]>`select value from setting where key = ${KEY}`)[0]?.value;
}

/** Whether its schema, though empty, has more than the backup's: what a migration does with rows would never reach these. */
export async function isAhead(sql: Sql, { migrations }: Pick<BackupHeader, "migrations">): Promise<boolean> {
  const [notes] = await sql<{ there: boolean }[]>`
    select to_regclass('drizzle.__drizzle_migrations') is not null as there`;
  if (!notes!.there) return false;
  const rows = await sql<{ at: number }[]>`select created_at::float8 as at from drizzle.__drizzle_migrations`;
  return rows.some(({ at }) => !migrations.includes(at));
}

/** The tables that hold something, and whether a restore was cut off. A database without our tables is as good as empty. */
export async function readUse(sql: Sql): Promise<{ restoring?: Mark; used: string[] }> {
  const [schema] = await sql<{ there: boolean }[]>`select to_regclass('setting') is not null as there`;
  if (!schema!.there) return { used: [] };
  const used: string[] = [];
  for (const { table } of await readStoredTables(sql)) {
    if (ALWAYS_THERE.includes(table)) continue;
    const [row] = await sql.unsafe(`select exists (select from ${quoteNames([table])}) as there`);
    if (row!.there) used.push(table);
  }
  return { restoring: await readRestoring(sql), used };
}
