/**
 * The models must be able to fail: each mistake of `scripts/seeded_bugs.ts` is made in a copy of `db/`, and the model of the
 * lease notices by itself. `deno task guards` does the same with the whole test files.
 */
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { GUARDS, takeOut } from "../../scripts/guards.ts";
import { SEEDED_BUGS } from "../../scripts/seeded_bugs.ts";
import { checkLeaseModel, leaseVerbs, loadLeaseVerbs } from "../../tests/helpers/lease_commands.ts";
import { temporaryFolder } from "../../tests/helpers/temporary_folder.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";

const root = join(import.meta.dirname!, "../..");
/** The others are left to `deno task guards`, and to a run that asks for more. */
const BUGS = SEEDED_BUGS.filter((bug) => bug.always || Deno.env.has("BOREAS_MODEL_RUNS"));
/** The same each time: whether a mistake is found must not depend on luck. */
const RUNS = { numRuns: 200, seed: 2026, endOnFailure: true };

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase({ max: 1 });
});

/** A tree of its own with a copy of `db/`; what `db/` imports is the original. */
async function copyTree(): Promise<string> {
  const copy = await temporaryFolder("seeded");
  await copyFolder(join(root, "db"), join(copy, "db"));
  for (const name of ["domain", "protocol", "node_modules"]) await Deno.symlink(join(root, name), join(copy, name));
  return copy;
}
async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(join(from, name), join(to, name));
    else if (name.endsWith(".ts") && !name.endsWith(".test.ts")) await Deno.copyFile(join(from, name), join(to, name));
  }
}

it.each([...GUARDS, ...SEEDED_BUGS])("$file holds what can be taken out of it: $name", async (guard) => {
  const text = await Deno.readTextFile(join(root, guard.file));
  expect(text.replaceAll(guard.text, guard.without) === text, `say in scripts/guards.ts where it stands now`).toBe(
    false,
  );
});

describe("the model of the lease", () => {
  it("finds nothing in a copy to which nothing was done", async () => {
    const verbs = await loadLeaseVerbs(join(await copyTree(), "db"));
    expect(Object.keys(verbs)).toEqual(expect.arrayContaining(Object.keys(leaseVerbs)));
    await checkLeaseModel(db, verbs, { ...RUNS, numRuns: 10 });
  });

  it.each(BUGS.filter((bug) => bug.kind !== "tree"))("finds ($kind): $name", async (bug) => {
    const copy = await copyTree();
    await takeOut(copy, bug);
    const verbs = await loadLeaseVerbs(join(copy, "db"));
    const found: unknown = await checkLeaseModel(db, verbs, RUNS).catch((error: unknown) => error);
    expect(found, "it is found").toMatchObject({ message: expect.stringContaining("Property failed") });
    // SQL that the change broke would prove nothing.
    expect((found as Error).cause).not.toMatchObject({ code: expect.stringMatching(/^42/) });
  }, 120_000);
});
