/**
 * Brings the schema up to date. Drizzle's migrator takes no lock, so an advisory one is held around it: masters that
 * start together migrate once. All pending files run in one transaction.
 */
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import { DEFAULT_PROJECT } from "./database.ts";
import type { ConnectionTarget } from "./client.ts";
import postgres from "postgres";

const MIGRATION_LOCK = 4_017_352_001;
const OLDEST = 150_000;

export async function migrateDatabase(target: ConnectionTarget): Promise<void> {
  const options = { max: 1, onnotice: () => {}, connect_timeout: 10 };
  const client = typeof target === "string" ? postgres(target, options) : postgres({ ...options, ...target });
  try {
    const [server] = await client`select current_setting('server_version_num')::int as number, version() as text`;
    if (server!.number < OLDEST) throw new Error(`PostgreSQL 15 or newer is needed; this is ${server!.text}.`);
    await client`select pg_advisory_lock(${MIGRATION_LOCK})`;
    const folder = new URL("./migrations", import.meta.url).pathname;
    await migrate(drizzle(client), { migrationsFolder: folder });
    await client`insert into project (id, name) values (${DEFAULT_PROJECT}, 'default') on conflict do nothing`;
  } finally {
    await client.end({ timeout: 5 });
  }
}
