import { join } from "node:path";

/** No process has it: above the kernel's highest pid. */
const NOBODY = "2147483646";

/**
 * PostgreSQL takes a lock file for valid as long as any process has the number in it. After a reboot, or in a container
 * that was killed and started again, that is often a stranger, and the server would never start. Called only when no
 * postmaster accepts on the socket: puts a number there that nobody has. The other lines stay, above all the shared
 * memory segment, by which PostgreSQL itself still waits for orphaned backends of a killed postmaster.
 */
export function disownStaleLock(cluster: string, socketDir: string, port: number): void {
  for (const path of [join(cluster, "postmaster.pid"), join(socketDir, `.s.PGSQL.${port}.lock`)]) {
    try {
      const [, ...rest] = Deno.readTextFileSync(path).split("\n");
      Deno.writeTextFileSync(path, [NOBODY, ...rest].join("\n"));
    } catch (error: unknown) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
