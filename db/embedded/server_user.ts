/**
 * As whom the PostgreSQL programs run. They refuse root, so a root process either
 *   - becomes the owner of the cluster, when that is somebody else, or
 *   - stays itself in a user namespace that shows it as uid 1: initdb wants a uid that has a name, and every Linux
 *     names that one. In there it has lost root's right to pass other people's closed folders, so below a 0700 home it
 *     becomes the owner of that home's files instead.
 */
import { dirname, join } from "node:path";

/** None of the master's secrets: of its environment the server is told only where programs are. */
export const serverEnvironment = () => ({ PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", TZ: "UTC" });

export interface ServerUser {
  uid: number;
  gid: number;
}

export interface Program {
  command: string;
  args: string[];
  uid?: number;
  gid?: number;
}

/** Undefined: this process's own user (behind a namespace, when that is root). */
export function asServerUser(user: ServerUser | undefined, command: string, args: string[]): Program {
  if (user) return { command, args, uid: user.uid, gid: user.gid };
  if (Deno.uid() !== 0) return { command, args };
  return { command: "unshare", args: ["--user", "--map-user=1", "--map-group=1", command, ...args] };
}

/** The owner of an existing cluster, if a root process has to become that user to run it. */
export function ownerOfCluster(cluster: string): ServerUser | undefined {
  return Deno.uid() === 0 ? otherOwner(cluster) : undefined;
}

/** Who a root process may become where the namespace cannot reach: the user whose folder the data or the program is in. */
export function ownerOfFolders(dataDir: string): ServerUser | undefined {
  if (Deno.uid() !== 0) return undefined;
  return otherOwner(dirname(dataDir)) ?? otherOwner(join(import.meta.dirname!, "../.."));
}

function otherOwner(path: string): ServerUser | undefined {
  try {
    const { uid, gid } = Deno.statSync(path);
    return uid ? { uid, gid: gid ?? uid } : undefined;
  } catch (error: unknown) {
    // Outside of what this process may read: nothing to learn there.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

export async function runAsServerUser(user: ServerUser | undefined, program: string, argv: string[]): Promise<void> {
  const { command, ...options } = asServerUser(user, program, argv);
  const { success, stderr, stdout } = await new Deno.Command(command, {
    ...options,
    cwd: "/",
    stdin: "null",
    clearEnv: true,
    env: serverEnvironment(),
  }).output();
  if (success) return;
  const decoder = new TextDecoder();
  const said = `${decoder.decode(stderr)}${decoder.decode(stdout)}`.trim();
  const hint = command === "unshare"
    ? " Boreas runs as root here, and PostgreSQL refuses to: run Boreas as another user, or set DATABASE_URL."
    : "";
  throw new Error(`${program} failed: ${said}.${hint}`);
}
