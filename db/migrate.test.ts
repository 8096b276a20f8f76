import { beforeAll, describe, expect, it } from "vitest";
import { PRODUCT_VERSION } from "../compose/product_version.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";
import { openClient } from "./client.ts";
import { migrateDatabase, SchemaError } from "./migrate.ts";
import { isOlder, readMigrations, toMigration } from "./read_migrations.ts";
import type { Migration } from "./read_migrations.ts";

const own = readMigrations();
/** A file that a later release brings. */
const later = (name: string, ...statements: string[]): Migration =>
  toMigration(name, own.at(-1)!.at + Number.parseInt(name), "hash", statements);
const expand = later("1_note", `alter table setting add column note text`);

it("migrates once, however often and however many at once are asked", async () => {
  const db = await createTestDatabase();
  const many = Array.from({ length: 3 }, () => migrateDatabase(db.target, PRODUCT_VERSION, [...own, expand]));
  await Promise.all(many);
  const [row] = await db.sql`select count(*)::int as n from drizzle.__drizzle_migrations`;
  const [project] = await db.sql`select count(*)::int as n, boreas_now() as at from project`;
  expect(row!.n).toBe(own.length + 1);
  expect(project!.n).toBe(1);
  expect(project!.at).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
});

it("lets a test set the database's clock, for this transaction only", async () => {
  const db = await createTestDatabase();
  await db.sql.begin(async (tx) => {
    await tx`select set_config('boreas.now', '2030-01-01T00:00:00Z', true)`;
    const [row] = await tx`select boreas_now() as at`;
    expect(row!.at).toBe("2030-01-01T00:00:00.000Z");
  });
  const [row] = await db.sql`select boreas_now() > '2029-01-01' as moved`;
  expect(row!.moved).toBe(false);
});

it("writes nothing to a database that is up to date, so that a standby will do", async () => {
  const db = await createTestDatabase();
  const [name] = await db.sql`select current_database() as name`;
  await db.sql.unsafe(`alter database ${name!.name} set default_transaction_read_only = on`);
  await migrateDatabase(db.target, PRODUCT_VERSION);
  const changing = migrateDatabase(db.target, PRODUCT_VERSION, [...own, expand]);
  await expect(changing).rejects.toThrow(
    /lacks 1_note\) and could not be changed: .*read-only.* Nothing of it was kept/,
  );
});

describe("releases beside each other", () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createTestDatabase();
  });
  const drop = later("2_drop_note", "-- contract: 0.3.0\nalter table setting drop column note");

  it("an older one goes on over what a newer one has added", async () => {
    await migrateDatabase(db.target, "0.3.0", [...own, expand]);
    await migrateDatabase(db.target, "0.2.0", own);
  });

  it("one that was left behind by a contraction is refused with a sentence, and changes nothing", async () => {
    await migrateDatabase(db.target, "0.4.0", [...own, expand, drop]);
    const refused = migrateDatabase(db.target, "0.2.9", own);
    await expect(refused).rejects.toThrow(SchemaError);
    await expect(refused).rejects.toThrow(
      "This is Boreas 0.2.9, and the database has moved on: it needs 0.3.0 or newer, and nothing was changed. Start that release.",
    );
    await migrateDatabase(db.target, "0.3.0", [...own, expand]);
  });

  it("the floor never sinks", async () => {
    const older = later("3_drop_nothing", "-- contract: 0.1.0\nselect 1");
    await migrateDatabase(db.target, "0.4.0", [...own, expand, drop, older]);
    await expect(migrateDatabase(db.target, "0.2.9", own)).rejects.toThrow(/needs 0\.3\.0 or newer/);
  });

  it("are ordered by their numbers", () => {
    expect(isOlder("0.9.0", "0.10.0")).toBe(true);
    expect(isOlder("0.3.0", "0.3.0")).toBe(false);
    expect(isOlder("1.0.0", "0.9.9")).toBe(false);
    expect(isOlder("0.3.0-next", "0.3.0")).toBe(false);
  });
});

describe("a table in use", () => {
  it("stops nobody for long: the migration lets go, waits, and comes through when the table is free", async () => {
    const db = await createTestDatabase();
    const holder = await db.sql.reserve();
    await holder`begin`;
    await holder`select * from setting limit 1`;
    let done = false;
    const migrating = migrateDatabase(db.target, PRODUCT_VERSION, [...own, expand]).then(() => done = true);
    // Readers that come while it waits stand behind it, and get through although the table stays in use.
    const reader = openClient(db.target, { max: 1 });
    for (let i = 0; i < 3; i++) {
      await expect.poll(
        async () => (await db.sql`select 1 from pg_locks where relation = 'setting'::regclass and not granted`).length,
        { interval: 10 },
      ).toBeGreaterThan(0);
      await reader`select * from setting limit 1`;
    }
    expect(done).toBe(false);
    await holder`rollback`;
    await migrating;
    expect(await db.sql`select note from setting limit 1`).toBeDefined();
    holder.release();
    await reader.end();
  });

  it("does not keep an index from being built beside its writers, over what an interrupted build left", async () => {
    const db = await createTestDatabase();
    const index = later("4_index", `CREATE INDEX CONCURRENTLY "setting_when" ON "setting" USING btree ("updated_at")`);
    expect(index.isConcurrent).toBe(true);
    await db.sql`create index setting_when on setting (key)`;
    await Promise.all([1, 2].map(() => migrateDatabase(db.target, PRODUCT_VERSION, [...own, index])));
    const [row] = await db.sql`select pg_get_indexdef('setting_when'::regclass) as text`;
    expect(row!.text).toContain("(updated_at)");
  });
});
