import { beforeEach, expect, it } from "vitest";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { systemActor } from "../database.ts";
import { recordAudit } from "./record_audit.ts";
import { findBrokenSeal, sealAudit } from "./seal_audit.ts";

let db: TestDatabase;
beforeEach(async () => {
  db = await createTestDatabase();
  for (const action of ["a", "b", "c"]) {
    await db.sql.begin((tx) => recordAudit(db, tx, systemActor("ada"), action, "thing:1", { n: action }));
  }
});

it("chains every row once, also when two masters seal at once", async () => {
  const counts = await Promise.all([sealAudit(db), sealAudit(db)]);
  expect(counts[0]! + counts[1]!).toBe(3);
  expect(await findBrokenSeal(db.sql)).toBeNull();
  expect(await sealAudit(db)).toBe(0);
});

it.each([
  ["changed", (n: number) => db.sql`update audit set target = 'thing:2' where seal_number = ${n}`],
  ["removed", (n: number) => db.sql`delete from audit where seal_number = ${n}`],
])("finds a row that was %s", async (_how, harm) => {
  await sealAudit(db);
  await harm(2);
  expect(await findBrokenSeal(db.sql)).toBe(2);
});

it("seals a row that commits late after those that were sealed before it", async () => {
  await db.sql.begin(async (tx) => {
    await recordAudit(db, tx, systemActor("late"), "d", "thing:1");
    await db.sql.begin((other) => recordAudit(db, other, systemActor("ada"), "e", "thing:1"));
    await sealAudit(db);
  });
  await sealAudit(db);
  const rows = await db.sql<{ action: string }[]>`select action from audit order by seal_number`;
  expect(rows.map((r) => r.action)).toEqual(["a", "b", "c", "e", "d"]);
  expect(await findBrokenSeal(db.sql)).toBeNull();
});
