/**
 * `deno task backup FILE [--with-key]`: everything a master needs to go on elsewhere, taken while it works.
 *
 *   look for the server -> (start it, when no master runs) -> snapshot -> FILE.part -> whole and durable -> FILE
 */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { dumpTables } from "../db/backup/dump_tables.ts";
import { openClient } from "../db/client.ts";
import type { Sql } from "../db/client.ts";
import { findConnection, hasCluster } from "../db/embedded/embedded_postgres.ts";
import { probeServer } from "../db/embedded/probe_server.ts";
import { createVault } from "../db/secrets/vault.ts";
import { createBackupFile } from "./backup_file.ts";
import { readSecretFile } from "./data_folder.ts";
import { openServer } from "./open_database.ts";
import { PRODUCT_VERSION } from "./product_version.ts";
import { readSettings } from "./settings.ts";
import type { Env, Settings } from "./settings.ts";

export const AUTHORITY = "backup:authority";
export const KEY_CHECK = "backup:key_check";
export const PROGRESS_MS = 1000;
const USAGE =
  "Say where to: deno task backup FILE (- for the standard output), with --with-key to put the key into it.";

export async function runBackup(env: Env, args: readonly string[]): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith("--"));
  const [path, ...others] = args.filter((arg) => !arg.startsWith("--"));
  if (!path || others.length > 0 || flags.some((flag) => flag !== "--with-key")) throw new Error(USAGE);
  const settings = readSettings(env, true);
  // The standard output may be the backup.
  const say = (sentence: string) => console.error(sentence);
  const secretKey = await readKey(settings);
  const vault = await createVault(secretKey);
  const server = await findServer(settings, say);
  const file = await createBackupFile(path).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  try {
    await belongsTo(server.sql, secretKey);
    const authority = await readAuthority(settings.dataDir);
    const { onTable, total } = tellProgress(say);
    const header = await dumpTables(server.sql, {
      product: PRODUCT_VERSION,
      keyCheck: toBase64(await vault.seal(KEY_CHECK, "boreas")),
      authority: authority && toBase64(await vault.seal(AUTHORITY, JSON.stringify(authority))),
      secretKey: flags.includes("--with-key") ? toBase64(secretKey) : null,
      sealKey: secretKey,
      onTable,
    }, file.put);
    await file.keep();
    const where = path === "-" ? "the standard output" : path;
    say(`Backed up as of ${header.takenAt} to ${where} (${total()} before compression).`);
    if (settings.databaseUrl && !authority) {
      say(
        `No certificate authority is in it, because ${
          join(settings.dataDir, "tls")
        } has none: if the master made its own, back up with its BOREAS_DATA_DIR, or its agents will not know a restored one.`,
      );
    }
    say(
      header.secretKey
        ? "It holds BOREAS_SECRET_KEY: whoever reads it reads every secret."
        : `Keep BOREAS_SECRET_KEY${
          settings.databaseUrl ? "" : ` (${join(settings.dataDir, "secret.key")})`
        } elsewhere: without it nobody can restore this.`,
    );
    return 0;
  } catch (error: unknown) {
    await file.drop();
    throw error;
  } finally {
    await server.close();
  }
}

/** Of a running master, or started for as long as this takes. */
async function findServer(settings: Settings, say: (sentence: string) => void) {
  const { dataDir, databaseUrl, pooler } = settings;
  if (!databaseUrl && !hasCluster(dataDir)) {
    throw new Error(
      `There is no database in ${dataDir}, so there is nothing to back up. Set BOREAS_DATA_DIR or DATABASE_URL.`,
    );
  }
  const runs = databaseUrl
    ? databaseUrl
    : await probeServer(findConnection(dataDir)) !== "absent" && findConnection(dataDir);
  const server = runs ? { target: runs, close: async () => {} } : await openServer(settings, say);
  // A table may take longer than any statement of a master.
  const sql = openClient(server.target, { max: 1, pooler, silenceMs: null, applicationName: "boreas-backup" });
  return {
    sql,
    async close() {
      await sql.end({ timeout: 5 });
      await server.close();
    },
  };
}

async function readKey({ secretKey, dataDir }: Settings): Promise<Uint8Array> {
  const kept = secretKey ??
    (await readSecretFile(join(dataDir, "secret.key")).then((text) => text && fromBase64(text)));
  if (kept) return kept;
  throw new Error(
    `There is no key in ${join(dataDir, "secret.key")}. Set BOREAS_SECRET_KEY to the one that the master uses.`,
  );
}

/** A backup that is sealed with another key than its secrets would be found out when it is needed. */
async function belongsTo(sql: Sql, secretKey: Uint8Array): Promise<void> {
  const [made] = await sql<{ there: boolean }[]>`select to_regclass('setting') is not null as there`;
  const [row] = made!.there ? await sql<{ value: number[] }[]>`select value from setting where key = 'keyCheck'` : [];
  if (!row) throw new Error("No master has ever worked on this database: there is nothing to back up.");
  try {
    await (await createVault(secretKey)).open("setting:keyCheck:value", new Uint8Array(row.value));
  } catch (error: unknown) {
    throw new Error("The secrets of this database were sealed with another BOREAS_SECRET_KEY. Set that one.", {
      cause: error,
    });
  }
}

/** Agents pin it: a restored master must be the same to them. */
async function readAuthority(dataDir: string): Promise<{ cert: string; key: string } | null> {
  const [cert, key] = await Promise.all(["ca.pem", "ca.key"].map((name) => readSecretFile(join(dataDir, "tls", name))));
  return cert && key ? { cert: `${cert}\n`, key: `${key}\n` } : null;
}

function tellProgress(say: (sentence: string) => void) {
  let told = performance.now();
  let all = 0;
  return {
    total: () => sayBytes(all),
    onTable(done: number, of: number, table: string, bytes: number) {
      all += bytes;
      if (performance.now() - told < PROGRESS_MS) return;
      told = performance.now();
      say(`${done} of ${of} tables, ${sayBytes(all)} (${table}: ${sayBytes(bytes)})`);
    },
  };
}

const sayBytes = (n: number) =>
  n < 1e6 ? `${Math.ceil(n / 1000)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`;
export const toBase64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
export const fromBase64 = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
