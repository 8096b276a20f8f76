/**
 * A master reduced to its embedded server: takes the folder, starts the server, then commits one row after another and
 * says each number once it is durable. Tests end it as crudely as they like.
 *   deno run -A tests/helpers/embedded_master.ts FOLDER [once]
 */
import postgres from "postgres";
import { startEmbeddedPostgres } from "../../db/embedded/embedded_postgres.ts";
import { lockFolder } from "../../db/embedded/lock_folder.ts";

const [folder, mode] = Deno.args;
try {
  lockFolder(folder!);
} catch (error: unknown) {
  console.error((error as Error).message);
  Deno.exit(3);
}
const server = await startEmbeddedPostgres({ dataDir: folder! });
console.log(`ready ${server.adopted ? "adopted" : "started"} ${server.connection.host}`);
const sql = postgres({ ...server.connection, max: 1, onnotice: () => {} });
await sql`create table if not exists kept (n int)`;
if (mode === "once") {
  await sql.end();
  await server.stop();
  Deno.exit(0);
}
for (let n = 1;; n++) {
  await sql`insert into kept values (${n})`;
  console.log(`committed ${n}`);
}
