/**
 * `deno task restore FILE [--go-on]`: a backup into a database that nobody has used, before its master starts.
 *
 *   header -> key fits? schema known? database empty? -> schema of then -> files of the folder -> all rows, checked (one
 *   transaction) -> schema of now -> made safe (one transaction)
 *
 * Whatever fails or is cut off before all rows are there leaves an empty database, and the same command does it anew.
 * After that they are marked: no master starts on them, and the same command goes on where it was.
 */
import { join } from "node:path";
import { BackupError, createBackupReader, createSeal } from "../db/backup/backup_format.ts";
import type { BackupHeader, BackupReader } from "../db/backup/backup_format.ts";
import { loadTables } from "../db/backup/load_tables.ts";
import { readHeader } from "../db/backup/read_header.ts";
import { isAhead, readUse } from "../db/backup/restoring.ts";
import { settleRestored } from "../db/backup/settle_restored.ts";
import type { Settled } from "../db/backup/settle_restored.ts";
import { openClient } from "../db/client.ts";
import type { ConnectionTarget, Sql } from "../db/client.ts";
import type { Tx } from "../db/database.ts";
import { migrateDatabase } from "../db/migrate.ts";
import { readMigrations } from "../db/read_migrations.ts";
import { createVault } from "../db/secrets/vault.ts";
import { newId } from "../host/new_id.ts";
import { AUTHORITY, fromBase64, KEY_CHECK, PROGRESS_MS } from "./backup.ts";
import { openBackupFile } from "./backup_file.ts";
import { readSecretFile, writeSecretFile } from "./data_folder.ts";
import { openServer } from "./open_database.ts";
import { PRODUCT_VERSION } from "./product_version.ts";
import { readSettings } from "./settings.ts";
import type { Env, Settings } from "./settings.ts";

const USAGE =
  "Say which: deno task restore FILE (- for the standard input), with --go-on to neither pause nor freeze anything.";

export async function runRestore(env: Env, args: readonly string[]): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith("--"));
  const [path, ...others] = args.filter((arg) => !arg.startsWith("--"));
  if (!path || others.length > 0 || flags.some((flag) => flag !== "--go-on")) throw new Error(USAGE);
  const settings = readSettings(env, true);
  const say = (sentence: string) => console.error(sentence);
  const reader = createBackupReader(await openBackupFile(path));
  try {
    const header = await readHeader(reader, PRODUCT_VERSION);
    const secretKey = await findKey(settings, header);
    const server = await openServer(settings, say);
    const { target } = server;
    try {
      if (!await isLoaded(target, header)) {
        await migrateDatabase(
          target,
          PRODUCT_VERSION,
          readMigrations().filter((m) => header.migrations.includes(m.at)),
        );
        await writeFolder(settings, header, secretKey);
        await load(settings, { target, header, reader, secretKey, say });
      }
      await migrateDatabase(target, PRODUCT_VERSION);
      const settled = await inDatabase(settings, target, (tx, sql) =>
        settleRestored({ sql, newId }, tx, {
          ...header,
          goOn: flags.length > 0,
          leaseSeconds: settings.leaseSeconds,
        }));
      tell(header, settled, settings, say);
      return 0;
    } finally {
      await server.close();
    }
  } catch (error: unknown) {
    if (!(error instanceof BackupError)) throw error;
    throw new Error(`${error.message} Nothing of it was kept.`, { cause: error });
  } finally {
    await reader.close();
  }
}

/** Given, kept in the folder, or in the backup itself; and the one that it was made with. */
async function findKey(settings: Settings, header: BackupHeader): Promise<Uint8Array> {
  const place = join(settings.dataDir, "secret.key");
  const kept = await readSecretFile(place);
  const key = settings.secretKey ?? (kept ? fromBase64(kept) : header.secretKey ? fromBase64(header.secretKey) : null);
  const how =
    `Set BOREAS_SECRET_KEY to the one that the backed-up master used (embedded: the content of its secret.key).`;
  if (!key) throw new BackupError(`The key of this backup is not in it, and not in ${place}. ${how}`);
  try {
    await (await createVault(key)).open(KEY_CHECK, fromBase64(header.keyCheck));
  } catch (error: unknown) {
    throw new BackupError(
      `The backup was made with another key than ${settings.secretKey ? "BOREAS_SECRET_KEY" : place}. ${how}`,
      { cause: error },
    );
  }
  return key;
}

/** Whether this very backup's rows are there already. */
async function isLoaded(target: ConnectionTarget, header: BackupHeader): Promise<boolean> {
  const sql = openClient(target, { max: 1, pooler: true });
  try {
    const { restoring, used } = await readUse(sql);
    if (restoring?.takenAt === header.takenAt) return true;
    if (used.length === 0) {
      if (!await isAhead(sql, header)) return false;
      throw new Error(
        "The database is empty, and its schema is newer than the backup's: what later releases do to older rows would never be done. Restore into a database without a schema, or set BOREAS_DATA_DIR to a fresh folder. Nothing was changed.",
      );
    }
    const some = used.slice(0, 3).join(", ");
    throw new Error(
      `The database is in use (it has rows in ${some}${
        used.length > 3 ? ", ..." : ""
      }), and nothing is written over. Restore into an empty database, or set BOREAS_DATA_DIR to a fresh folder. Nothing was changed.`,
    );
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** Before the rows: a master that found them without its key would have none. The same command may write them again. */
async function writeFolder(settings: Settings, header: BackupHeader, secretKey: Uint8Array): Promise<void> {
  const { dataDir } = settings;
  if (!settings.secretKey && !await readSecretFile(join(dataDir, "secret.key"))) {
    await writeSecretFile(join(dataDir, "secret.key"), header.secretKey!);
  }
  if (!header.authority) return;
  const folder = join(dataDir, "tls");
  const sealed = await (await createVault(secretKey)).open(AUTHORITY, fromBase64(header.authority));
  const { cert, key } = JSON.parse(sealed) as { cert: string; key: string };
  const there = await readSecretFile(join(folder, "ca.pem"));
  if (there !== undefined && there !== cert.trim()) {
    throw new Error(
      `${folder} holds another certificate authority than the one that agents know. Move it away. Nothing was changed.`,
    );
  }
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  await writeSecretFile(join(folder, "ca.key"), key.trim());
  await writeSecretFile(join(folder, "ca.pem"), cert.trim());
}

interface Load {
  target: ConnectionTarget;
  header: BackupHeader;
  reader: BackupReader;
  secretKey: Uint8Array;
  say: (sentence: string) => void;
}

async function load(settings: Settings, { target, header, reader, secretKey, say }: Load): Promise<void> {
  const seal = await createSeal(secretKey);
  reader.sealWith(seal);
  let told = performance.now();
  await inDatabase(
    settings,
    target,
    (tx) =>
      loadTables(tx, { header, reader, digest: () => seal.digest("hex") }, (done, of, table) => {
        if (performance.now() - told < PROGRESS_MS) return;
        told = performance.now();
        say(`${done} of ${of} tables (${table})`);
      }),
  );
}

/** One transaction, however long it takes. */
async function inDatabase<T>(
  { pooler }: Settings,
  target: ConnectionTarget,
  body: (tx: Tx, sql: Sql) => Promise<T>,
): Promise<T> {
  const sql = openClient(target, { max: 1, pooler, silenceMs: null, applicationName: "boreas-restore" });
  try {
    return await sql.begin((tx) => body(tx, sql)) as T;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function tell(header: BackupHeader, settled: Settled, settings: Settings, say: (sentence: string) => void): void {
  const { paused, frozen, handedOutAgain } = settled;
  say(`Restored the state of ${header.takenAt}${header.authority ? ", with its certificate authority" : ""}.`);
  if (handedOutAgain > 0) say(`${handedOutAgain} tasks that were under way then will be handed out again.`);
  if (paused > 0) say(`${paused} deployments that were running then are paused.`);
  if (frozen.length > 0) {
    say(
      `Nothing new starts in ${frozen.join(", ")}: look at what runs there, then end the freeze (boreas freeze end).`,
    );
  }
  say(
    "People sign in again; machines dial by themselves. Users, tokens and machines that were removed since the backup are back: remove them again.",
  );
  if (settings.databaseUrl) say("Start the masters with this DATABASE_URL and BOREAS_SECRET_KEY.");
  else {say(
      `Start the master with BOREAS_DATA_DIR=${settings.dataDir}${
        settings.secretKey ? " and the same BOREAS_SECRET_KEY" : ""
      }.`,
    );}
}
