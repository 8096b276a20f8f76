import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import { readSchema } from "./read_schema.ts";

it("is what the migrations make (else: deno task schema)", async () => {
  const db = await createTestDatabase();
  expect(await readSchema(db.sql)).toBe(await readFile(join(import.meta.dirname!, "schema_snapshot.sql"), "utf8"));
});
