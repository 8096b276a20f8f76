/** Run in the place of a process of deno.json, with its permissions: tries things and prints, as JSON, which went. */
import { hostname } from "node:os";
import { PRODUCT_VERSION } from "../../compose/product_version.ts";
import { startEmbeddedPostgres } from "../../db/embedded/embedded_postgres.ts";
import { lockFolder } from "../../db/embedded/lock_folder.ts";
import { openClient } from "../../db/client.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { ownTls } from "../../host/tls_files.ts";

const dataDir = Deno.env.get("BOREAS_DATA_DIR")!;
const run = async (command: string, ...args: string[]) => {
  const { success } = await new Deno.Command(command, { args, clearEnv: true, env: { PATH: "/usr/bin:/bin" } })
    .output();
  if (!success) throw new Error("failed");
};

const attempts: Record<string, () => unknown> = {
  "keeps a database of its own": async () => {
    lockFolder(dataDir);
    const server = await startEmbeddedPostgres({ dataDir });
    await migrateDatabase(server.connection, PRODUCT_VERSION);
    const sql = openClient(server.connection);
    await sql`select 1`;
    await sql.end();
    await server.stop();
  },
  "makes a certificate": () => ownTls({ dataDir, hosts: [hostname()], now: new Date() }),
  "runs git": () => run("git", "--version"),
  "listens": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  "writes into its data folder": () => Deno.writeTextFile(`${dataDir}/file`, "text"),
  "runs a shell": () => run("sh", "-c", "true"),
  "runs the agent's programs": () => run("/bin/cat", "/dev/null"),
  "writes into the project": () => Deno.writeTextFile("main.probe", "text"),
  "reads the system's files": () => Deno.readTextFile("/etc/passwd"),
  "sees a variable that is not its own": () => {
    if (!Deno.env.get("SOMEBODY_ELSES_SECRET")) throw new Error("not seen");
  },
};

const went: string[] = [];
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    went.push(name);
  } catch (error: unknown) {
    console.error(name, error);
  }
}
console.log(JSON.stringify(went));
