/**
 * One PostgreSQL server per run: the embedded one in a fresh folder (fsync off, the data is worth nothing), or the one
 * that `BOREAS_TEST_DATABASE_URL` names. A template database is migrated once; each test file clones it.
 */
import type { TestProject } from "vitest/node";
import { PRODUCT_VERSION } from "../../compose/product_version.ts";
import { startEmbeddedPostgres } from "../../db/embedded/embedded_postgres.ts";
import { openClient } from "../../db/client.ts";
import type { ConnectionTarget } from "../../db/client.ts";
import { migrateDatabase } from "../../db/migrate.ts";

declare module "vitest" {
  export interface ProvidedContext {
    serverTarget: ConnectionTarget;
    templateDatabase: string;
  }
}

export default async function setup(project: TestProject) {
  if (!project.isRootProject()) return; // called for every group of tests: they share one server
  const url = Deno.env.get("BOREAS_TEST_DATABASE_URL");
  const folder = await Deno.makeTempDir({ prefix: "boreas-test-" });
  const server = url ? undefined : await startEmbeddedPostgres({ dataDir: folder, fsync: false });
  const target: ConnectionTarget = url ?? server!.connection;
  const template = `boreas_template_${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;
  const admin = openClient(target, { max: 1 });
  await admin.unsafe(`create database ${template}`);
  await migrateDatabase(withDatabase(target, template), PRODUCT_VERSION);
  project.provide("serverTarget", target);
  project.provide("templateDatabase", template);
  return async () => {
    await admin.unsafe(`drop database if exists ${template} with (force)`);
    await admin.end({ timeout: 5 });
    await server?.stop();
    await Deno.remove(folder, { recursive: true });
  };
}

export function withDatabase(target: ConnectionTarget, database: string): ConnectionTarget {
  if (typeof target !== "string") return { ...target, database };
  const url = new URL(target);
  url.pathname = `/${database}`;
  return url.href;
}
