/** The join token of this machine's own agent: made while it has no identity yet, read by it from a private file. */
import { join } from "node:path";
import { createEnrollmentToken } from "../db/enrollment/create_enrollment_token.ts";
import type { Database } from "../db/database.ts";
import { DEFAULT_PROJECT, systemActor } from "../db/database.ts";
import type { Hints } from "../db/hints.ts";
import { readSecretFile, writeSecretFile } from "./data_folder.ts";

const LIFE_SECONDS = 3600;

export async function offerLocalToken(deps: { db: Database; hints: Hints }, dataDir: string): Promise<void> {
  const path = join(dataDir, "local-agent.token");
  const enrolled = await readSecretFile(join(dataDir, "agent", "identity.json"));
  if (enrolled && await readSecretFile(path)) return;
  const environments = await deps.db.sql<
    { id: string }[]
  >`select id from environment where type = 'pm' and project_id = ${DEFAULT_PROJECT}`;
  const { token } = await createEnrollmentToken(deps, {
    uses: 1,
    expiresIn: LIFE_SECONDS,
    labels: { local: "true" },
    environments: environments.map((e) => e.id),
    kind: "agent",
  }, systemActor("start"));
  await writeSecretFile(path, token);
}
