/**
 * A real PostgreSQL server beside the data, for a master without `DATABASE_URL`.
 *
 *   lock the folder -> adopt a server that still runs | initdb once -> start -> accept connections -> ... -> pg_ctl stop
 *
 * The server runs in a session of its own and outlives a `kill -9` of the master, so the next master first tries to
 * connect and adopts it. What a crash leaves behind: a running server (adopted), a stale postmaster.pid (PostgreSQL
 * clears it itself), or a killed postmaster whose children hold shared memory for about a second (start is retried).
 * PostgreSQL refuses to run as root: under root it runs in a user namespace that shows it as uid 1000.
 */
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import postgres from "postgres";
import { findBinaries } from "./binaries.ts";

export interface EmbeddedOptions {
  /** Folder of the product's data; the server's own is `postgres/` in it. */
  dataDir: string;
  /** Off only for tests, where a lost power costs nothing. */
  fsync?: boolean;
  /** Told what takes time, so that a person sees progress. */
  onProgress?: (sentence: string) => void;
}
export interface EmbeddedServer {
  /** Connection options for postgres.js. */
  connection: { host: string; port: number; user: string; database: string };
  adopted: boolean;
  /** Stops the server in an orderly way. Safe to call twice. */
  stop(): Promise<void>;
}

const PORT = 5432;
const USER = "boreas";
const START_SECONDS = 20;
/** sun_path holds 108 bytes, one of them the final NUL. */
const MAX_SOCKET_PATH = 107;

export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const binaries = findBinaries();
  const dataDir = resolve(options.dataDir);
  const cluster = join(dataDir, "postgres");
  const socketDir = socketFolder(dataDir);
  Deno.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  Deno.mkdirSync(socketDir, { recursive: true, mode: 0o700 });
  const connection = { host: socketDir, port: PORT, user: USER, database: "postgres" };

  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await runAsUser(binaries.pgCtl, ["stop", "-D", cluster, "-m", "fast", "-w", "-t", "30"]);
  };
  if (await answers(connection)) return { connection, adopted: true, stop };

  if (!exists(join(cluster, "PG_VERSION"))) {
    options.onProgress?.("Preparing the embedded PostgreSQL (once, about a second)");
    // A half-made cluster of an interrupted first start holds nothing: initdb refuses it, so it goes.
    const fresh = `${cluster}.new`;
    if (exists(fresh)) Deno.removeSync(fresh, { recursive: true });
    await runAsUser(binaries.initdb, ["-D", fresh, "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C"]);
    Deno.renameSync(fresh, cluster);
  }
  const settings: Record<string, string> = {
    listen_addresses: "",
    port: String(PORT),
    unix_socket_directories: socketDir,
    unix_socket_permissions: "0700",
    max_connections: "60",
    shared_buffers: "64MB",
    fsync: options.fsync === false ? "off" : "on",
    synchronous_commit: options.fsync === false ? "off" : "on",
    logging_collector: "on",
    log_directory: "log",
    log_filename: "postgres-%a.log",
    log_truncate_on_rotation: "on",
  };
  const args = ["-D", cluster, ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])];
  const deadline = performance.now() + START_SECONDS * 1000;
  while (performance.now() < deadline) {
    const { command, args: wrapped } = asUser(binaries.postgres, args);
    const child = new Deno.Command(command, {
      args: wrapped,
      stdin: "null",
      stdout: "null",
      stderr: "null",
      env: { TZ: "UTC" },
      detached: true,
    }).spawn();
    child.unref();
    let exited = false;
    child.status.then(() => exited = true, () => exited = true);
    while (!exited && performance.now() < deadline) {
      if (await answers(connection)) return { connection, adopted: false, stop };
      await pause(20);
    }
    // The child ended: a killed postmaster's shared memory is still held, or another one is starting. Try again.
    if (await answers(connection)) return { connection, adopted: true, stop };
    await pause(250);
  }
  throw new Error(
    `The embedded PostgreSQL did not start within ${START_SECONDS} s; its log is in ${join(cluster, "log")}.`,
  );
}

/** Beside the data when the path is short enough for a socket address, else a private folder under /tmp. */
function socketFolder(dataDir: string): string {
  const beside = join(dataDir, "run");
  if (join(beside, `.s.PGSQL.${PORT}.lock`).length <= MAX_SOCKET_PATH) return beside;
  return `/tmp/boreas-${createHash("sha256").update(dataDir).digest("hex").slice(0, 16)}`;
}

async function answers(connection: EmbeddedServer["connection"]): Promise<boolean> {
  if (!exists(join(connection.host, `.s.PGSQL.${PORT}`))) return false;
  const sql = postgres({ ...connection, max: 1, connect_timeout: 2, onnotice: () => {} });
  try {
    await sql`select 1`;
    return true;
  } catch (_error: unknown) {
    return false; // not there yet, or no more: the caller decides by the child and the deadline
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function asUser(command: string, args: string[]): { command: string; args: string[] } {
  if (Deno.uid() !== 0) return { command, args };
  return { command: "unshare", args: ["--user", "--map-user=1000", "--map-group=1000", command, ...args] };
}

async function runAsUser(program: string, argv: string[]): Promise<void> {
  const { command, args } = asUser(program, argv);
  const { success, stderr, stdout } = await new Deno.Command(command, { args, stdin: "null" }).output();
  if (success) return;
  const decoder = new TextDecoder();
  const said = `${decoder.decode(stderr)}${decoder.decode(stdout)}`.trim();
  const hint = command === "unshare"
    ? " Boreas runs as root here, and PostgreSQL refuses to: run Boreas as another user, or set DATABASE_URL."
    : "";
  throw new Error(`${program} failed: ${said}.${hint}`);
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
