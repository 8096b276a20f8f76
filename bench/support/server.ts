/**
 * One PostgreSQL for everything of a run: the embedded one in a fresh folder, or the server of BOREAS_BENCH_DATABASE_URL.
 * `fsync` and `synchronous_commit` must be on: a bench without them would measure something that nobody runs.
 */
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget, Sql } from "../../db/client.ts";
import { startEmbeddedPostgres } from "../../db/embedded/embedded_postgres.ts";
import type { EmbeddedServer } from "../../db/embedded/embedded_postgres.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { PRODUCT_VERSION } from "../../compose/product_version.ts";

export interface BenchServer {
  /** An own database for a party; `migrated`: with our schema. */
  createDatabase(name: string, options?: { migrated?: boolean }): Promise<ConnectionTarget>;
  /** For counting and resetting between measurements. */
  admin: Sql;
  /** Of the server, when it is ours: for its processor time. */
  postmaster: number | undefined;
  version: string;
  settings: Record<string, string>;
  stop(): Promise<void>;
}

const SETTINGS = [
  "fsync",
  "synchronous_commit",
  "wal_sync_method",
  "full_page_writes",
  "shared_buffers",
  "max_wal_size",
  "work_mem",
  "max_connections",
  "jit",
  "shared_preload_libraries",
];

export async function startBenchServer(url: string | undefined): Promise<BenchServer> {
  const folder = url ? undefined : await Deno.makeTempDir({ prefix: "boreas-bench-" });
  const embedded = folder ? await startCounting(folder) : undefined;
  const target: ConnectionTarget = url ?? embedded!.connection;
  const admin = openClient(target, { max: 1 });
  const rows = await admin<{ name: string; setting: string }[]>`
    select name, current_setting(name) as setting from pg_settings where name = any(${SETTINGS}) order by name`;
  const settings = Object.fromEntries(rows.map((row) => [row.name, row.setting]));
  for (const name of ["fsync", "synchronous_commit"]) {
    if (settings[name] !== "on") throw new Error(`${name} is ${settings[name]} on this server; the bench needs it on.`);
  }
  const [{ version }] = await admin<[{ version: string }]>`select current_setting('server_version') as version`;
  return {
    admin,
    version,
    settings,
    postmaster: folder ? readPostmaster(folder) : undefined,
    async createDatabase(name, { migrated = false } = {}) {
      const database = `boreas_bench_${name}`;
      await admin.unsafe(`drop database if exists ${database} with (force)`);
      await admin.unsafe(`create database ${database}`);
      const own = withDatabase(target, database);
      if (migrated) await migrateDatabase(own, PRODUCT_VERSION);
      const sql = openClient(own, { max: 1 });
      if (await hasCounters(sql)) await sql`create extension if not exists pg_stat_statements`;
      await sql.end();
      return own;
    },
    async stop() {
      await admin.end({ timeout: 5 });
      await embedded?.stop();
      if (folder) await Deno.remove(folder, { recursive: true });
    },
  };
}

/** All parties of a bench hold theirs open from the first round to the last. */
const CONNECTIONS = 120;

/** Counts statements on the server, the same for all parties. The library has to be there from the start. */
async function startCounting(folder: string): Promise<EmbeddedServer> {
  const first = await startEmbeddedPostgres({ dataDir: folder, maxConnections: CONNECTIONS });
  const sql = openClient(first.connection, { max: 1 });
  await sql`alter system set shared_preload_libraries = 'pg_stat_statements'`;
  await sql.end();
  await first.stop();
  return await startEmbeddedPostgres({ dataDir: folder, maxConnections: CONNECTIONS });
}

export async function hasCounters(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ libraries: string }[]>`select current_setting('shared_preload_libraries') as libraries`;
  return row!.libraries.includes("pg_stat_statements");
}

const readPostmaster = (folder: string) =>
  Number(Deno.readTextFileSync(`${folder}/postgres/postmaster.pid`).split("\n")[0]);

export function withDatabase(target: ConnectionTarget, database: string): ConnectionTarget {
  if (typeof target !== "string") return { ...target, database };
  const url = new URL(target);
  url.pathname = `/${database}`;
  return url.href;
}
