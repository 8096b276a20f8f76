/**
 * A new BOREAS_SECRET_KEY: everything that is sealed is opened with the previous one and sealed with the new. Row by row,
 * each only as long as nobody else wrote it; whoever dies over it goes on at the next start. Harmless to repeat.
 */
import type { Database } from "../database.ts";
import type { Vault } from "./vault.ts";

/** Table and column -> the place that a value is sealed to; each `table:id:column`. */
const COLUMNS = [
  ["repository", "webhook_secret"],
  ["repository", "credential"],
  ["repository", "status_token"],
  ["secret", "sealed"],
  ["notification", "sealed"],
] as const;
/** Rows of `setting`, whose value is a list of bytes. */
const SETTINGS = ["keyCheck", "releaseKey"];

/** @returns how many values it sealed anew */
export async function resealAll({ sql }: Database, vault: Vault): Promise<number> {
  let count = 0;
  for (const [table, column] of COLUMNS) {
    const rows = await sql<{ id: string; sealed: Uint8Array }[]>`
      select id, ${sql(column)} as sealed from ${sql(table)} where length(${sql(column)}) > 0`;
    for (const { id, sealed } of rows) {
      if (vault.isCurrent(sealed)) continue;
      const place = `${table}:${id}:${column}`;
      const anew = await vault.seal(place, await vault.open(place, sealed));
      const done = await sql`
        update ${sql(table)} set ${sql(column)} = ${anew} where id = ${id} and ${sql(column)} = ${sealed} returning id`;
      count += done.length;
    }
  }
  for (const key of SETTINGS) {
    const [row] = await sql<{ value: number[] }[]>`select value from setting where key = ${key}`;
    if (!row || vault.isCurrent(new Uint8Array(row.value))) continue;
    const place = `setting:${key}:value`;
    const anew = await vault.seal(place, await vault.open(place, new Uint8Array(row.value)));
    const done = await sql`
      update setting set value = ${sql.json(Array.from(anew))} where key = ${key} and value = ${sql.json(row.value)}
      returning key`;
    count += done.length;
  }
  return count;
}
