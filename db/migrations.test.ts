/**
 * Expand, then contract (docs/decisions/0007-expand-then-contract.md): masters of two adjacent releases work on one
 * schema, so a migration only adds, quickly, unless it says whom it leaves behind.
 */
import { describe, expect, it } from "vitest";
import { readMigrations, toMigration } from "./read_migrations.ts";
import type { Migration } from "./read_migrations.ts";

/** Those of the first release: nothing older ever ran beside them. */
const FIRST = 4;

/** What an older release cannot live with: only in a file marked `-- contract: RELEASE`. */
const TAKES_AWAY: [RegExp, string][] = [
  [/^drop (?!index concurrently)/, "drops something"],
  [/\bdrop (column|constraint|default|expression|identity)\b/, "drops a part of a table"],
  [/\brename\b/, "renames something"],
  [/\bset not null\b/, "forbids null"],
  [/\balter column "?\w+"? (set data )?type\b/, "changes a column's type"],
  [/^(truncate|delete)\b/, "deletes rows"],
  [
    /\badd column\b(?=.*\bnot null\b)(?!.*\b(default|generated)\b)/,
    "adds a column that an older release does not fill",
  ],
  [/^create unique index\b/, "adds a rule to rows that an older release writes"],
  [/\badd constraint\b/, "adds a rule to rows that an older release writes"],
  [/^create (or replace )?(trigger|rule)\b/, "changes what a write does"],
];
/** What holds a table's lock for as long as the table is long: in no file at all. */
const HOLDS_UP: [RegExp, string][] = [
  [/^create (unique )?index (?!concurrently)/, "builds an index under a lock; use .concurrently()"],
  [/\badd constraint\b.*\b(check|foreign key)\b(?!.*\bnot valid\b)/, "checks all rows under a lock; add it not valid"],
  [/\badd column\b.*\bdefault\b.*\b(boreas_now|clock_timestamp|random|gen_random_uuid)\(/, "rewrites the table"],
  [/^(vacuum full|cluster|reindex (?!.*concurrently)|lock)\b/, "locks the table"],
];

function findFaults(migration: Migration): string[] {
  const made = new Set<string>();
  const faults: string[] = [];
  let holds = false;
  for (const text of migration.statements) {
    const statement = text.toLowerCase().replaceAll(/\s+/g, " ");
    const [, created] = /^create table (?:if not exists )?"?(\w+)"?/.exec(statement) ?? [];
    if (created) made.add(created);
    const [, table] = /^(?:alter table (?:only )?|create .*?\bon )"?(\w+)"?/.exec(statement) ?? [];
    if (created || (table && made.has(table))) continue; // nobody else knows it yet
    holds ||= /^alter table\b/.test(statement);
    if (holds && /^(update|insert|with)\b/.test(statement)) {
      faults.push(
        `${migration.name} writes rows while it holds a table; put that into a file of its own: ${statement}`,
      );
    }
    const held = HOLDS_UP.filter(([pattern]) => pattern.test(statement));
    const taken = migration.contract ? [] : TAKES_AWAY.filter(([pattern]) => pattern.test(statement));
    for (const [, what] of [...held, ...taken]) faults.push(`${migration.name} ${what}: ${statement}`);
  }
  return faults;
}

it("no migration takes away what the release before uses, or holds a table up", () => {
  expect(readMigrations().slice(FIRST).flatMap(findFaults)).toEqual([]);
});

describe("what that test can see", () => {
  const faultsOf = (...statements: string[]) => findFaults(toMigration("1_x", 1, "", statements)).length;

  it.each([
    `DROP TABLE "task" CASCADE;`,
    `ALTER TABLE "task" DROP COLUMN "name";`,
    `ALTER TABLE "task" DROP CONSTRAINT "task_state";`,
    `ALTER TABLE "task" RENAME COLUMN "name" TO "title";`,
    `ALTER TABLE "task" RENAME TO "job";`,
    `ALTER TABLE "task" ALTER COLUMN "result" SET NOT NULL;`,
    `ALTER TABLE "task" ALTER COLUMN "attempt" SET DATA TYPE bigint;`,
    `alter table task\n  alter column attempt type bigint`,
    `ALTER TABLE "task" ADD COLUMN "kind" text NOT NULL;`,
    `CREATE UNIQUE INDEX CONCURRENTLY "once" ON "task" USING btree ("name");`,
    `truncate task`,
    `delete from task`,
    `drop function boreas_now()`,
  ])("%s needs a contract", (statement) => {
    expect(faultsOf(statement)).toBeGreaterThan(0);
    expect(faultsOf("-- contract: 0.2.0\n" + statement)).toBe(0);
  });

  it.each([
    `CREATE INDEX "by_name" ON "task" USING btree ("name");`,
    `ALTER TABLE "task" ADD CONSTRAINT "f" FOREIGN KEY ("app_id") REFERENCES "application"("id");`,
    `ALTER TABLE "task" ADD COLUMN "seen_at" timestamptz DEFAULT boreas_now();`,
  ])("%s is never right", (statement) => {
    expect(faultsOf(statement)).toBeGreaterThan(0);
    expect(faultsOf("-- contract: 0.2.0\n" + statement)).toBeGreaterThan(0);
  });

  it.each([
    `ALTER TABLE "task" ADD COLUMN "note" text;`,
    `ALTER TABLE "task" ADD COLUMN "tries" integer DEFAULT 0 NOT NULL;`,
    `CREATE INDEX CONCURRENTLY "by_name" ON "task" USING btree ("name");`,
    `drop index concurrently if exists by_name`,
    `create or replace function boreas_now() returns timestamptz language sql as 'select clock_timestamp()'`,
  ])("%s is fine beside an older release", (statement) => {
    expect(faultsOf(statement)).toBe(0);
  });

  it("rows are written in a file that holds no table", () => {
    const [alter, write] = [`ALTER TABLE "task" ADD COLUMN "note" text;`, `UPDATE "task" SET "note" = "name";`];
    expect(faultsOf(alter, write)).toBe(1);
    expect(faultsOf(write)).toBe(0);
  });

  it("a table is free until it is shared", () => {
    const table = `CREATE TABLE "leader" ("role" text PRIMARY KEY NOT NULL);`;
    const key = `ALTER TABLE "leader" ADD CONSTRAINT "k" FOREIGN KEY ("role") REFERENCES "setting"("key");`;
    expect(faultsOf(table, key, `CREATE UNIQUE INDEX "i" ON "leader" USING btree ("role");`)).toBe(0);
    expect(faultsOf(key)).toBeGreaterThan(0);
  });

  it("a contract names a release, and indexes built beside the writers stand alone", () => {
    expect(() => toMigration("1_x", 1, "", ["-- contract: soon\nselect 1"])).toThrow(/must name a release/);
    expect(() => toMigration("1_x", 1, "", ["create index concurrently a on b (c)", "select 1"])).toThrow(/own/);
  });
});
