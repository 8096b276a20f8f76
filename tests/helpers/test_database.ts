import { afterAll, inject } from "vitest";
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget, Sql } from "../../db/client.ts";
import type { Database } from "../../db/database.ts";
import { newId } from "../../host/new_id.ts";
import { withDatabase } from "./global_setup.ts";

export interface TestDatabase extends Database {
  sql: Sql;
  target: ConnectionTarget;
}

/** A database of this test file's own, cloned from the migrated template and dropped at the end. */
export async function createTestDatabase(options: { max?: number } = {}): Promise<TestDatabase> {
  const server = inject("serverTarget");
  const name = `boreas_${crypto.randomUUID().replaceAll("-", "")}`;
  const admin = openClient(server, { max: 1 });
  await admin.unsafe(`create database ${name} template ${inject("templateDatabase")}`);
  const target = withDatabase(server, name);
  const sql = openClient(target, { max: options.max ?? 6 });
  // As at a start of the product: the driver asks what arrays there are beside a client's first statement, and on a loaded
  // machine a first statement with an array may be sent before it has heard.
  await sql`select 1`;
  afterAll(async () => {
    await sql.end({ timeout: 5 });
    await admin.unsafe(`drop database if exists ${name} with (force)`);
    await admin.end({ timeout: 5 });
  });
  return { sql, target, newId };
}
