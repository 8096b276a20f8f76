/** Opens the database of the settings: a server, or the embedded one; migrated, and checked to belong to our key. */
import { join } from "node:path";
import { canListen } from "../db/can_listen.ts";
import { readRestoring } from "../db/backup/restoring.ts";
import { openClient } from "../db/client.ts";
import type { ConnectionTarget, Sql } from "../db/client.ts";
import type { Database } from "../db/database.ts";
import { lockFolder } from "../db/embedded/lock_folder.ts";
import { startEmbeddedPostgres } from "../db/embedded/embedded_postgres.ts";
import { createRecentLogs } from "../db/logs/recent_logs.ts";
import { migrateDatabase, SchemaError } from "../db/migrate.ts";
import { retryableError } from "../db/retryable_errors.ts";
import type { Vault } from "../db/secrets/vault.ts";
import { newId } from "../host/new_id.ts";
import { PRODUCT_VERSION } from "./product_version.ts";
import type { Settings } from "./settings.ts";

export interface OpenedDatabase extends Database {
  kind: "embedded" | "server";
  target: ConnectionTarget;
  /** Notifications of other processes arrive; not behind a transaction pooler. */
  listens: boolean;
  close(): Promise<void>;
}

/** Where PostgreSQL answers; nobody else uses the data folder until it is let go. */
export interface OpenedServer {
  kind: OpenedDatabase["kind"];
  target: ConnectionTarget;
  close(): Promise<void>;
}

export async function openServer(settings: Settings, say: (sentence: string) => void): Promise<OpenedServer> {
  await Deno.mkdir(settings.dataDir, { recursive: true, mode: 0o700 });
  const lock = lockFolder(settings.dataDir);
  try {
    const server = settings.databaseUrl
      ? undefined
      : await startEmbeddedPostgres({ dataDir: settings.dataDir, onProgress: say });
    return {
      kind: server ? "embedded" : "server",
      target: settings.databaseUrl ?? server!.connection,
      async close() {
        await server?.stop();
        lock.release();
      },
    };
  } catch (error: unknown) {
    lock.release();
    throw error;
  }
}

export async function openDatabase(settings: Settings, say: (sentence: string) => void): Promise<OpenedDatabase> {
  const server = await openServer(settings, say);
  const { kind, target } = server;
  let sql: Sql;
  let taskSql: Sql | undefined;
  let listens = !settings.pooler;
  try {
    await migrate(target, settings);
    // One that nobody told us of must not cost random failures: it is treated as the pooler that it is.
    if (listens && kind === "server") listens = await canListen(target);
    sql = openClient(target, { max: 12, pooler: !listens, applicationName: "boreas-master" });
    // A pooler hands statements to any connection: none can have settings of its own.
    if (listens) taskSql = await openTaskClient(target, say);
    if (await readRestoring(sql)) {
      await Promise.all([sql, taskSql].map((client) => client?.end({ timeout: 5 })));
      throw new Error("A restore into this database was cut off. Run the same deno task restore again: it goes on.");
    }
  } catch (error: unknown) {
    await server.close();
    throw error;
  }
  return {
    sql,
    ...(taskSql ? { taskSql } : {}),
    newId,
    recentLogs: createRecentLogs(),
    target,
    listens,
    kind,
    async close() {
      await Promise.all([sql, taskSql].map((client) => client?.end({ timeout: 5 })));
      await server.close();
    },
  };
}

/** @returns undefined where a connection may have no settings of its own: a pooler of sessions refuses those it does not know */
export async function openTaskClient(
  target: ConnectionTarget,
  say: (sentence: string) => void,
): Promise<Sql | undefined> {
  const client = openClient(target, { max: 4, applicationName: "boreas-tasks", plansOnce: true });
  try {
    await client`select 1`;
    return client;
  } catch (error: unknown) {
    await client.end({ timeout: 1 });
    if (retryableError(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    say(`The statements of tasks are planned anew each time, which costs a little: ${why}.`);
    return undefined;
  }
}

async function migrate(target: ConnectionTarget, settings: Settings): Promise<void> {
  try {
    await migrateDatabase(target, PRODUCT_VERSION);
  } catch (error: unknown) {
    if (!settings.databaseUrl || error instanceof SchemaError) throw error;
    const host = new URL(settings.databaseUrl).host;
    throw new Error(
      `The database at ${host} could not be opened or migrated: ${
        error instanceof Error ? error.message : String(error)
      }. Check DATABASE_URL.`,
      { cause: error },
    );
  }
}

/** The id that agents pin; made once per database. */
export async function readMasterId(db: Database): Promise<string> {
  await db.sql`insert into setting (key, value) values ('masterId', ${db.sql.json(db.newId())}) on conflict do nothing`;
  const [row] = await db.sql<{ value: string }[]>`select value from setting where key = 'masterId'`;
  return row!.value;
}

/** Refuses to start with a key that cannot read what is there: a wrong key must not write beside the right one. */
export async function checkSecretKey(db: Database, vault: Vault): Promise<void> {
  const place = "setting:keyCheck:value";
  const sealed = Array.from(await vault.seal(place, "boreas"));
  await db.sql`insert into setting (key, value) values ('keyCheck', ${db.sql.json(sealed)}) on conflict do nothing`;
  const [row] = await db.sql<{ value: number[] }[]>`select value from setting where key = 'keyCheck'`;
  try {
    await vault.open(place, new Uint8Array(row!.value));
  } catch (error: unknown) {
    throw new Error(
      `The secrets of this database were sealed with another BOREAS_SECRET_KEY (in embedded mode: the file ${
        join("<data dir>", "secret.key")
      }). Nothing was changed.`,
      { cause: error },
    );
  }
}
