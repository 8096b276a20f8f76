import { expect, it } from "vitest";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import { migrateDatabase } from "./migrate.ts";

it("migrates once, however often and however many at once are asked", async () => {
  const db = await createTestDatabase();
  await Promise.all([migrateDatabase(db.target), migrateDatabase(db.target), migrateDatabase(db.target)]);
  const [row] = await db.sql`select count(*)::int as n from drizzle.__drizzle_migrations`;
  const [project] = await db.sql`select count(*)::int as n, boreas_now() as at from project`;
  expect(row!.n).toBeGreaterThan(0);
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
