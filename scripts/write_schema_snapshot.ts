/** `deno task schema`: what the migrations make, into db/schema_snapshot.sql, for review beside the migration. */
import { join } from "node:path";
import { openClient } from "../db/client.ts";
import { PRODUCT_VERSION } from "../compose/product_version.ts";
import { startEmbeddedPostgres } from "../db/embedded/embedded_postgres.ts";
import { migrateDatabase } from "../db/migrate.ts";
import { readSchema } from "../db/read_schema.ts";
import { root } from "./build_once.ts";

const folder = await Deno.makeTempDir({ prefix: "boreas-schema-" });
const server = await startEmbeddedPostgres({ dataDir: folder, fsync: false });
try {
  await migrateDatabase(server.connection, PRODUCT_VERSION);
  const sql = openClient(server.connection, { max: 1 });
  await Deno.writeTextFile(join(root, "db/schema_snapshot.sql"), await readSchema(sql));
  await sql.end();
} finally {
  await server.stop();
  await Deno.remove(folder, { recursive: true });
}
