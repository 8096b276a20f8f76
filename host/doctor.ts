/** Looks at this machine with an agent's eyes; changes nothing but a file that it takes away again. */
import net from "node:net";
import { isMissing } from "./durable_files.ts";
import { requestOnce } from "./http_request.ts";
import type { MasterAddress } from "./master_socket.ts";
import { findProgram, runShortly, SYSTEM_PATH } from "./process_run.ts";

const PERMISSIONS = ["read", "write", "run", "net", "env", "sys"] as const;
/** Without these no program is started, kept and read. */
const NEEDED = ["sh", "cat", "split", "mv", "id", "df"];
const SESSION_MAKERS = ["setsid", "perl"];

/** Rights that the runtime was not given. */
export function missingPermissions(): string[] {
  return PERMISSIONS.filter((name) => Deno.permissions.querySync({ name }).state !== "granted");
}

export async function missingPrograms(): Promise<string[]> {
  const path = Deno.env.get("PATH") ?? SYSTEM_PATH;
  const missing: string[] = [];
  for (const name of NEEDED) if (!await findProgram(name, path)) missing.push(name);
  const makers = await Promise.all(SESSION_MAKERS.map((name) => findProgram(name, path)));
  if (!makers.some(Boolean)) missing.push(SESSION_MAKERS.join(" or "));
  return missing;
}

export const hasProgram = async (name: string): Promise<boolean> =>
  await findProgram(name, Deno.env.get("PATH") ?? SYSTEM_PATH) !== undefined;

/** @returns why nothing can be kept there; undefined when a file was written, brought to the disk and taken away */
export async function tryWriting(folder: string): Promise<string | undefined> {
  const path = `${folder}/doctor.${crypto.randomUUID().slice(0, 8)}`;
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    await file.write(new Uint8Array(4096));
    await file.sync();
    return undefined;
  } catch (error: unknown) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await Deno.remove(path).catch((error: unknown) => {
      if (!isMissing(error) && !(error instanceof Deno.errors.PermissionDenied)) throw error;
    });
  }
}

/** Bytes that are free for this user; undefined when nobody says. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  const run = { command: ["df", "-Pk", folder], cwd: "/", env: { PATH: SYSTEM_PATH, LC_ALL: "C" }, timeoutMs: 5000 };
  const { code, output } = await runShortly(run);
  const blocks = Number(output.split("\n").at(-1)?.trim().split(/\s+/)[3]);
  return code === 0 && Number.isFinite(blocks) ? blocks * 1024 : undefined;
}

export interface MasterLook {
  status: number;
  /** Seconds that the master's clock is ahead of ours; null when it said no time. */
  skewSeconds: number | null;
}

/** Over the very way that the agent takes: proxy, pinned authority and all. @throws Error that says what is in the way */
export async function lookAtMaster(address: MasterAddress): Promise<MasterLook> {
  const sentAt = Date.now();
  const { status, headers } = await requestOnce(address, { path: "/api/v1/openapi.json", method: "HEAD" });
  const now = (sentAt + Date.now()) / 2;
  const said = Date.parse(headers.date ?? "");
  // The header counts whole seconds, and is cut, not rounded.
  return { status, skewSeconds: Number.isNaN(said) ? null : (said + 500 - now) / 1000 };
}

/** Whether a container engine answers on its usual socket. */
export function hasEngine(path = "/var/run/docker.sock"): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    const done = (answer: boolean) => (socket.destroy(), resolve(answer));
    socket.setTimeout(3000, () => done(false));
    socket.once("error", () => done(false));
    socket.once("connect", () => socket.write("GET /_ping HTTP/1.0\r\n\r\n"));
    socket.setEncoding("latin1");
    socket.once("data", (text) => done(/^HTTP\/1\.\d 200/.test(String(text))));
  });
}

/** Whether a program here may listen on a port that the system chooses, on this machine alone. */
export function canListen(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", (error) => resolve(error.message));
    server.listen({ host: "127.0.0.1", port: 0 }, () => server.close(() => resolve(undefined)));
  });
}

export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error: unknown) {
    if (isMissing(error)) return false;
    throw error;
  }
}
