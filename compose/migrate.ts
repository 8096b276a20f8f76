import { openDatabase } from "./open_database.ts";
import { readSettings } from "./settings.ts";
import type { Env } from "./settings.ts";

/** `deno task migrate`: brings the schema up to date and ends. */
export async function runMigrate(env: Env): Promise<number> {
  const db = await openDatabase(readSettings(env, true), (sentence) => console.log(sentence));
  await db.close();
  console.log("The database is up to date.");
  return 0;
}
