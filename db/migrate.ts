/**
 * Brings the schema up to date while other masters, of this release and of the one before, go on working.
 *
 *   look --nothing pending--> done (nothing was written)
 *     '--a pending file--> begin -> sole migrator? -> still pending? -> its statements -> noted -> commit -> look
 *                            '--no: wait, look again      '--a table is in use: let go of everything, wait, look again
 *
 * A database that is ahead of this process is as good as its own: releases only add, and what takes something away names
 * the oldest release that can live without it (`contract`). That floor is kept in the database and refuses older ones.
 *
 * A file is a transaction: a crash leaves the files before it, which every release of the pair understands. Index builds
 * beside the writers run outside one, and are begun again from nothing. A transaction pooler may stand in between: no
 * prepared statement, no lock of a session.
 */
import postgres from "postgres";
import type { ConnectionTarget } from "./client.ts";
import { DEFAULT_PROJECT } from "./database.ts";
import { retryableError } from "./retryable_errors.ts";
import { isOlder, readMigrations } from "./read_migrations.ts";
import type { Migration } from "./read_migrations.ts";

const MIGRATION_LOCK = 4_017_352_001;
const OLDEST = 150_000;
/** Whoever waits for a table's lock stops everybody behind it; so this is also how long a migration may stop the work. */
const LOCK_MS = 500;
/** A lock that stops no reader or writer; an automatic vacuum has it too, and gives way to who has waited a second. */
const WEAK_LOCK_MS = 3000;
const TAKES_WEAK_LOCK = /^alter table \S+ set \(/i;
const PATIENCE_MS = 60_000;
const FLOOR = "schemaFloor";

/** The database answers, but this release cannot live with its schema. The sentence says what to do. */
export class SchemaError extends Error {}

export async function migrateDatabase(
  target: ConnectionTarget,
  productVersion: string,
  migrations: readonly Migration[] = readMigrations(),
): Promise<void> {
  const options = {
    max: 2,
    prepare: false,
    onnotice: () => {},
    connect_timeout: 10,
    connection: { application_name: "boreas-migrate" },
  };
  const client = typeof target === "string" ? postgres(target, options) : postgres({ ...options, ...target });
  try {
    const [server] = await client`select current_setting('server_version_num')::int as number, version() as text`;
    if (server!.number < OLDEST) throw new Error(`PostgreSQL 15 or newer is needed; this is ${server!.text}.`);
    let impatientAt = performance.now() + PATIENCE_MS;
    for (let pending = await look(client, productVersion, migrations); pending;) {
      const done = await apply(client, pending);
      if (done === "in use" && performance.now() > impatientAt) throw new SchemaError(sayInUse(pending));
      if (done === "applied") impatientAt = performance.now() + PATIENCE_MS;
      else await new Promise((resume) => setTimeout(resume, LOCK_MS / 2));
      pending = await look(client, productVersion, migrations);
    }
    const [project] = await client`select 1 from project where id = ${DEFAULT_PROJECT}`;
    if (!project) {
      await client`insert into project (id, name) values (${DEFAULT_PROJECT}, 'default') on conflict do nothing`;
    }
  } finally {
    await client.end({ timeout: 5 });
  }
}

/**
 * @returns the next file that the database lacks
 * @throws Error when the database has left this release behind
 */
async function look(
  client: postgres.Sql,
  productVersion: string,
  migrations: readonly Migration[],
): Promise<Migration | undefined> {
  const [has] = await client`
    select to_regclass('drizzle.__drizzle_migrations') is not null as notes, to_regclass('setting') is not null as settings`;
  const rows = has!.notes ? await client`select created_at::float8 as at from drizzle.__drizzle_migrations` : [];
  const [floor] = has!.settings
    ? await client`select value ->> 'release' as release from setting where key = ${FLOOR}`
    : [];
  const applied = new Set(rows.map((row) => row.at as number));
  // Who brings the contracting file itself is made for it, whatever it calls itself.
  const contracted = migrations.some((m) => m.contract === floor?.release && applied.has(m.at));
  if (floor && !contracted && isOlder(productVersion, floor.release)) {
    throw new SchemaError(
      `This is Boreas ${productVersion}, and the database has moved on: it needs ${floor.release} or newer, and nothing was changed. Start that release.`,
    );
  }
  return migrations.find((m) => !applied.has(m.at));
}

type Applied = "applied" | "somebody else migrates" | "in use";

async function apply(client: postgres.Sql, migration: Migration): Promise<Applied> {
  try {
    return await client.begin(async (tx): Promise<Applied> => {
      // Asked, not waited for: who waits holds a snapshot, and an index build of the other would wait for that.
      const [sole] = await tx`select pg_try_advisory_xact_lock(${MIGRATION_LOCK}) as mine`;
      if (!sole!.mine) return "somebody else migrates";
      const [notes] = await tx`select to_regclass('drizzle.__drizzle_migrations') is not null as there`;
      if (!notes!.there) {
        await tx`create schema drizzle`;
        await tx`create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`;
      }
      const [noted] = await tx`select 1 from drizzle.__drizzle_migrations where created_at = ${migration.at}`;
      if (noted) return "applied";
      if (migration.isConcurrent) {
        // A simple statement closes the portal of the one before, and with it the snapshot that the build would wait for.
        await tx.unsafe("select 1");
        await buildIndexes(client, migration);
      } else await runAll(tx, migration);
      await tx`insert into drizzle.__drizzle_migrations (hash, created_at) values (${migration.hash}, ${migration.at})`;
      if (migration.contract) await raiseFloor(tx, migration.contract);
      return "applied";
    });
  } catch (error: unknown) {
    const { code, message } = error as { code?: string; message: string };
    // Lock not available, deadlock: all was rolled back, and the others' work goes before ours.
    if (code === "55P03" || code === "40P01") return "in use";
    if (!(error instanceof postgres.PostgresError) || retryableError(error)?.effect === "unknown") throw error;
    const owner = code === "42501" ? ` Run "deno task migrate" once as the owner of the tables.` : "";
    throw new SchemaError(
      `The schema is behind this release (it lacks ${migration.name}) and could not be changed: ${message}. Nothing of it was kept.${owner}`,
      { cause: error },
    );
  }
}

/** The locks of the first statements are held while the last ones wait for theirs: one budget for all. */
async function runAll(tx: postgres.TransactionSql, { statements }: Migration): Promise<void> {
  const until = performance.now() + LOCK_MS;
  for (const statement of statements) {
    const left = TAKES_WEAK_LOCK.test(statement) ? WEAK_LOCK_MS : Math.ceil(Math.max(1, until - performance.now()));
    await tx`select set_config('lock_timeout', ${`${left}ms`}, true)`;
    await tx.unsafe(statement);
  }
}

/** On a connection of their own, while the caller's transaction holds the migrators' lock. They stop no reader or writer. */
async function buildIndexes(client: postgres.Sql, { statements }: Migration): Promise<void> {
  for (const statement of statements) {
    // What an interrupted build left is there under its name, and no use.
    const name = /^create (?:unique )?index concurrently (?:if not exists )?("[^"]+"|\w+) on\b/i.exec(statement)?.[1];
    if (name) await client.unsafe(`drop index concurrently if exists ${name}`);
    await client.unsafe(statement);
  }
}

async function raiseFloor(tx: postgres.TransactionSql, release: string): Promise<void> {
  const [floor] = await tx`select value ->> 'release' as release from setting where key = ${FLOOR} for update`;
  if (floor && !isOlder(floor.release, release)) return;
  await tx`insert into setting (key, value) values (${FLOOR}, jsonb_build_object('release', ${release}::text))
    on conflict (key) do update set value = excluded.value, updated_at = boreas_now()`;
}

const sayInUse = (migration: Migration) =>
  `The schema lacks ${migration.name}, and a table that it changes was in use for ${
    PATIENCE_MS / 1000
  } s. End the long transactions that hold it (pg_stat_activity names them), then start again.`;
