/** Debian's pgbouncer, which lends each connection to PostgreSQL for one transaction, or for a session. */
import { join } from "node:path";
import { findProgram } from "../../helpers/require_component.ts";
import { freePorts } from "../../helpers/free_ports.ts";
import { eventually } from "../../helpers/start_product.ts";
import { temporaryFolder } from "../../helpers/temporary_folder.ts";
import type { OwnPostgres } from "./own_postgres.ts";

const NOBODY = 65_534;

export interface TransactionPooler {
  port: number;
  stop(): Promise<void>;
}

export async function startTransactionPooler(
  postgres: OwnPostgres,
  mode: "transaction" | "session" = "transaction",
): Promise<TransactionPooler> {
  const folder = await temporaryFolder("pooler");
  const [port] = freePorts(1);
  const settings = [
    "[databases]",
    `* = host=${postgres.host} port=${postgres.port}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = trust",
    `auth_file = ${join(folder, "users")}`,
    `pool_mode = ${mode}`,
    ...(mode === "session" ? ["ignore_startup_parameters = statement_timeout"] : []),
    "default_pool_size = 6",
    "max_client_conn = 200",
  ];
  await Deno.writeTextFile(join(folder, "users"), '"boreas" ""\n');
  await Deno.writeTextFile(join(folder, "settings.ini"), settings.join("\n"));
  await Deno.chmod(folder, 0o755);
  const child = new Deno.Command(findProgram("pgbouncer")!, {
    args: [join(folder, "settings.ini")],
    ...(Deno.uid() === 0 ? { uid: NOBODY, gid: NOBODY } : {}), // it refuses root
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await eventually(async () => {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port: port! })).close();
      return true;
    } catch (error: unknown) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      return false;
    }
  }, "the pooler listens");
  return {
    port: port!,
    async stop() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}
