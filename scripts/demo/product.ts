/** A Boreas of our own for the story: started as `deno task start` starts it, on a free port and an empty data folder. */
import { dirname, join } from "node:path";
import { StoryError } from "./wait_until.ts";
import { exists } from "./exists.ts";

const root = join(import.meta.dirname!, "..", "..");

export interface Product {
  url: string;
  password: string;
  /** Where its processes write their logs. */
  logFile: string;
  /** Ends the product, then the services it deployed. */
  stop(): Promise<void>;
  /** The last lines of its log. */
  lastLines(count: number): Promise<string[]>;
}
export interface ProductOptions {
  folder: string;
  /** Told each line that the product prints until it serves. */
  say: (line: string) => void;
}

/** Building, first database and all: an installed one needs a few seconds. */
const READY_WITHIN = 110_000;
const LOOK_EVERY = 100;
const END_WITHIN = 30_000;
/** A deployed program that does not heed its first signal gets the last one. */
const DRAINED_WITHIN = 10_000;

/** @throws StoryError with its last lines, when it ended or did not serve in time */
export async function startProduct({ folder, say }: ProductOptions): Promise<Product> {
  // A database that was there before knows its first user's password, what its secrets were sealed with, and the agent.
  const keep = lastingFolder() ?? folder;
  const dataDir = join(keep, "data");
  const logFile = join(folder, "boreas.log");
  await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(logFile, "");
  const port = freePort();
  const password = Deno.env.get("BOREAS_ADMIN_PASSWORD") ?? await keptSecret(join(keep, "admin.password"), 15);
  const secretKey: Record<string, string> = Deno.env.get("DATABASE_URL")
    ? { BOREAS_SECRET_KEY: Deno.env.get("BOREAS_SECRET_KEY") ?? await keptSecret(join(keep, "secret.key"), 32) }
    : {};
  const { tasks } = JSON.parse(await Deno.readTextFile(join(root, "deno.json"))) as { tasks: Record<string, string> };
  const starter = new Deno.Command("sh", {
    // Its output goes to a file and not through us: with --keep it lives longer than we do.
    args: ["-c", `exec ${tasks.start} >>"$BOREAS_DEMO_LOG" 2>&1`],
    cwd: root,
    detached: true,
    stdin: "null",
    env: {
      PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH") ?? ""}`,
      BOREAS_DEMO_LOG: logFile,
      BOREAS_PORT: String(port),
      BOREAS_DATA_DIR: dataDir,
      BOREAS_ADMIN_PASSWORD: password,
      BOREAS_ALLOW_FILE_REPOSITORIES: "1",
      BOREAS_LOCAL_AGENT: "on",
      ...secretKey,
    },
  }).spawn();
  starter.unref();
  await Deno.writeTextFile(join(folder, "started.json"), JSON.stringify({ pid: starter.pid, dataDir }));
  let ended: number | undefined;
  starter.status.then(({ code }) => ended = code);

  const lastLines = async (count: number) => (await Deno.readTextFile(logFile)).trimEnd().split("\n").slice(-count);
  const product: Product = {
    url: `http://127.0.0.1:${port}`,
    password,
    logFile,
    lastLines,
    stop: () => stopProduct(folder),
  };

  let said = 0;
  for (const giveUp = Date.now() + READY_WITHIN; Date.now() < giveUp;) {
    const text = await Deno.readTextFile(logFile);
    const whole = text.lastIndexOf("\n") + 1;
    text.slice(said, whole).split("\n").filter((line) => line.startsWith("boreas:")).forEach((line) => say(line));
    said = Math.max(said, whole);
    if (ended !== undefined) break;
    if (await isReady(product.url)) return product;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
  const lines = await lastLines(20);
  const how = ended === undefined ? `does not serve after ${READY_WITHIN / 1000} s` : `ended with code ${ended}`;
  await product.stop();
  throw new StoryError(`Boreas ${how}. Its last lines:\n${lines.map((l) => `  ${l}`).join("\n")}`);
}

/** What belongs to a Boreas or a database that lives longer than one run; undefined when nothing does. */
export function lastingFolder(): string | undefined {
  const lasting = Deno.env.get("BOREAS_URL") ?? Deno.env.get("DATABASE_URL");
  // Without the password that an address may hold.
  return lasting && join(root, ".build", "demo", lasting.replace(/^.*@/, "").replace(/[^A-Za-z0-9]+/g, "-"));
}

/** Made once, then read again: base64 of so many random bytes, for its owner alone. */
async function keptSecret(path: string, bytes: number): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error: unknown) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const secret = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))));
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, secret, { mode: 0o600 });
  return secret;
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/v1/ready`, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch (error: unknown) {
    if (error instanceof TypeError || (error as Error).name === "TimeoutError") return false;
    throw error;
  }
}

interface Started {
  pid: number;
  dataDir: string;
}

/** Ends what was started in this folder, by this run or by one that was kept, and the services it deployed. */
export async function stopProduct(folder: string): Promise<void> {
  const started = await readStarted(folder);
  if (!started) return;
  const { pid, dataDir } = started;
  if (signal(pid, "SIGTERM")) {
    for (const giveUp = Date.now() + END_WITHIN; signal(pid, "SIGCONT");) {
      if (Date.now() > giveUp) signal(pid, "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
  }
  await endDeployed(join(dataDir, "agent"));
}

async function readStarted(folder: string): Promise<Started | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(join(folder, "started.json"))) as Started;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** @returns false when there is no such process */
function signal(pid: number, name: Deno.Signal): boolean {
  try {
    Deno.kill(pid, name);
    return true;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Deployed programs outlive the product on purpose; those of the story have served their time. Each has a folder of its
 * keeper's: `process` names it on its first line, `drained` is there when it and its last output are gone.
 */
async function endDeployed(folder: string): Promise<void> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      if (entry.isDirectory) await endDeployed(join(folder, entry.name));
      else names.push(entry.name);
    }
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (!names.includes("process") || names.includes("drained")) return;
  const pid = Number((await Deno.readTextFile(join(folder, "process"))).split("\n")[0]);
  if (pid <= 1) return;
  signal(-pid, "SIGTERM");
  const patience = Date.now() + DRAINED_WITHIN;
  // Until then its keeper still writes here, and whoever removes the folder would meet new files in it.
  while (!await exists(join(folder, "drained"))) {
    if (Date.now() > patience && !signal(-pid, "SIGKILL")) return; // nothing of it is left, and nobody notes its end
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
