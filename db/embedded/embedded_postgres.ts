/**
 * A real PostgreSQL server beside the data, for a master without `DATABASE_URL`.
 *
 *   lock the folder -> adopt a server that still runs | initdb once -> start -> accept connections -> ... -> pg_ctl stop
 *
 * The server runs in a session of its own and outlives a `kill -9` of the master, so the next master first tries to
 * connect and adopts it. What a crash leaves behind: a running server (adopted), a server that recovers (waited for), a
 * killed postmaster whose children hold shared memory for about a second (start is retried), a lock file with a dead or
 * a stranger's number in it (disowned), or a half-made cluster (made anew).
 */
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { findBinaries } from "./binaries.ts";
import { disownStaleLock } from "./disown_stale_lock.ts";
import { probeServer } from "./probe_server.ts";
import { asServerUser, ownerOfCluster, ownerOfFolders, runAsServerUser, serverEnvironment } from "./server_user.ts";
import type { ServerUser } from "./server_user.ts";

export interface EmbeddedOptions {
  /** Folder of the product's data; the server's own is `postgres/` in it. */
  dataDir: string;
  /** Off only for tests, where a lost power costs nothing. */
  fsync?: boolean;
  /** Told what takes time, so that a person sees progress. */
  onProgress?: (sentence: string) => void;
  /** How long a server may refuse to start before that is an error. */
  startSeconds?: number;
  /** 60 is enough for one master; several programs beside each other need more. */
  maxConnections?: number;
}
export interface EmbeddedServer {
  /** Connection options for postgres.js. */
  connection: { host: string; port: number; user: string; database: string };
  adopted: boolean;
  /** Stops the server in an orderly way. Safe to call twice, and when the server is gone already. */
  stop(): Promise<void>;
}

const PORT = 5432;
const USER = "boreas";
const START_SECONDS = 20;
/** Replaying what a crash left may take long; a server that says so is waited for. */
const RECOVERY_SECONDS = 600;
/** A killed postmaster's children are gone by then, and a new one would have opened its socket. */
const STALE_LOCK_SECONDS = 3;
/** sun_path holds 108 bytes, one of them the final NUL. */
const MAX_SOCKET_PATH = 107;

export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const binaries = findBinaries();
  const dataDir = resolve(options.dataDir);
  const cluster = join(dataDir, "postgres");
  Deno.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const connection = findConnection(dataDir);
  const socketDir = connection.host;

  let user = ownerOfCluster(cluster);
  let stopping: Promise<void> | undefined;
  const stop = () =>
    stopping ??= (async () => {
      if (await probeServer(connection) === "absent") return;
      await runAsServerUser(user, binaries.pgCtl, ["stop", "-D", cluster, "-m", "fast", "-w", "-t", "60"]);
    })();

  if (await readyWithin(connection, RECOVERY_SECONDS, options.onProgress)) return { connection, adopted: true, stop };
  if (!hasCluster(dataDir)) {
    options.onProgress?.("Preparing the embedded PostgreSQL (once, about a second)");
    user = await makeCluster(binaries.initdb, cluster, dataDir);
  }
  // Server and master may be different users: the socket's folder is the server's, and root passes everywhere.
  if (user) chown(user, dataDir, socketDir);

  const program = asServerUser(user, binaries.postgres, serverArguments(cluster, socketDir, options));
  const startSeconds = options.startSeconds ?? START_SECONDS;
  const startedAt = performance.now();
  const elapsed = () => (performance.now() - startedAt) / 1000;
  let lastWords = "";
  while (elapsed() < startSeconds) {
    const { command, ...as } = program;
    const child = new Deno.Command(command, {
      ...as,
      cwd: "/",
      stdin: "null",
      stdout: "null",
      stderr: "piped", // until it answers; then its words go to its own log files
      clearEnv: true,
      env: serverEnvironment(),
      detached: true,
    }).spawn();
    child.unref();
    let exited = false;
    const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    const ended = Promise.all([child.status, readAll(stderr)]).then(([, text]) => {
      exited = true;
      lastWords = text.trim();
    });
    while (!exited) {
      if (await readyWithin(connection, RECOVERY_SECONDS, options.onProgress)) {
        await stderr.cancel();
        return { connection, adopted: false, stop };
      }
      if (elapsed() >= startSeconds) break;
      await Promise.race([ended, pause(20)]);
    }
    // It ended: a killed postmaster's shared memory is still held, another one is starting, or a lock file is in the way.
    if (await readyWithin(connection, RECOVERY_SECONDS, options.onProgress)) return { connection, adopted: true, stop };
    if (elapsed() > STALE_LOCK_SECONDS) disownStaleLock(cluster, socketDir, PORT);
    await pause(250);
  }
  throw new Error(
    `The embedded PostgreSQL did not start within ${startSeconds} s; its log is in ${
      join(cluster, "log")
    }. ${lastWords}`
      .trim(),
  );
}

/** How the server of a folder is reached, whether it runs or not. */
export function findConnection(dataDir: string): EmbeddedServer["connection"] {
  return { host: makeSocketFolder(resolve(dataDir)), port: PORT, user: USER, database: "postgres" };
}

/** Whether a server has ever been made in the folder. */
export const hasCluster = (dataDir: string): boolean => exists(join(dataDir, "postgres", "PG_VERSION"));

function serverArguments(cluster: string, socketDir: string, options: EmbeddedOptions): string[] {
  const { fsync = true, maxConnections = 60 } = options;
  const settings: Record<string, string> = {
    listen_addresses: "",
    port: String(PORT),
    unix_socket_directories: socketDir,
    unix_socket_permissions: "0700",
    max_connections: String(maxConnections),
    shared_buffers: "128MB",
    jit: "off", // ours are many small statements: compiling one costs more than running it
    fsync: fsync ? "on" : "off",
    synchronous_commit: fsync ? "on" : "off",
    logging_collector: "on",
    log_directory: "log",
    log_filename: "postgres-%a.log",
    log_truncate_on_rotation: "on",
  };
  return ["-D", cluster, ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])];
}

/** All or nothing: a half-made cluster of an interrupted first start holds no data, and initdb refuses it, so it goes. */
async function makeCluster(initdb: string, cluster: string, dataDir: string): Promise<ServerUser | undefined> {
  const fresh = `${cluster}.new`;
  const make = async (user: ServerUser | undefined) => {
    if (exists(fresh)) Deno.removeSync(fresh, { recursive: true });
    Deno.mkdirSync(fresh, { mode: 0o700 });
    if (user) chown(user, dataDir, fresh);
    await runAsServerUser(user, initdb, ["-D", fresh, "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C"]);
    Deno.renameSync(fresh, cluster);
    using folder = Deno.openSync(dataDir);
    folder.syncSync(); // the name is as durable as what it names
    return user;
  };
  try {
    return await make(undefined);
  } catch (error: unknown) {
    const owner = ownerOfFolders(dataDir);
    if (!owner) throw error;
    return await make(owner);
  }
}

/** Beside the data when the path is short enough for a socket address, else a private folder under /tmp. */
function makeSocketFolder(dataDir: string): string {
  const beside = join(dataDir, "run");
  const short = new TextEncoder().encode(join(beside, `.s.PGSQL.${PORT}.lock`)).length <= MAX_SOCKET_PATH;
  if (short) {
    Deno.mkdirSync(beside, { recursive: true, mode: 0o700 });
    return beside;
  }
  // Everybody may make a folder of this name first: whoever owned it could pass for the server.
  const own = `/tmp/boreas-${Deno.uid()}`;
  Deno.mkdirSync(own, { recursive: true, mode: 0o700 });
  const found = Deno.lstatSync(own);
  if (!found.isDirectory || found.uid !== Deno.uid() || (found.mode! & 0o077) !== 0) {
    throw new Error(
      `${own} belongs to somebody else or is open to others. Remove it, or set a shorter BOREAS_DATA_DIR.`,
    );
  }
  const folder = join(own, createHash("sha256").update(dataDir).digest("hex").slice(0, 16));
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** False as soon as no server is there; a busy one is waited for. */
async function readyWithin(
  connection: EmbeddedServer["connection"],
  seconds: number,
  onProgress?: (sentence: string) => void,
): Promise<boolean> {
  const [from, deadline] = [performance.now(), performance.now() + seconds * 1000];
  let told = false;
  while (true) {
    const state = exists(join(connection.host, `.s.PGSQL.${PORT}`)) ? await probeServer(connection) : "absent";
    if (state !== "busy") return state === "ready";
    if (performance.now() > deadline) {
      throw new Error(`The embedded PostgreSQL is there but took no connection for ${seconds} s.`);
    }
    // Every start is busy for a moment; only what takes longer is worth a word.
    if (!told && performance.now() - from > 1_000) {
      onProgress?.("Waiting for the embedded PostgreSQL to finish its recovery");
      told = true;
    }
    await pause(50);
  }
}

async function readAll(reader: ReadableStreamDefaultReader<string>): Promise<string> {
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
  return text;
}

function chown(user: ServerUser, ...paths: string[]): void {
  for (const path of paths) Deno.chownSync(path, user.uid, user.gid);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
