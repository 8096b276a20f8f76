/** The life of a lease on real PostgreSQL, held to its specification (`tests/helpers/lease_model.ts`) act by act. */
import { beforeAll, it } from "vitest";
import { checkLeaseModel, leaseVerbs } from "../../tests/helpers/lease_commands.ts";
import { modelRuns, patience } from "../../tests/helpers/model_runs.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";

const RUNS = modelRuns("lease", 50);
let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase({ max: 1 });
});

it("does what the model of a lease does, whoever says what in whatever order and however time passes", async () => {
  await checkLeaseModel(db, leaseVerbs, RUNS);
}, patience(RUNS));
