import { expect, it } from "vitest";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { DEFAULT_PROJECT } from "../database.ts";
import type { Actor } from "../database.ts";
import { cancelDeployment } from "../deployments/cancel_deployment.ts";
import type { DeploymentDeps } from "../deployments/load_plan.ts";
import { pauseDeployment } from "../deployments/pause_deployment.ts";
import { createHints } from "../hints.ts";
import { skipWait } from "../rollouts/skip_wait.ts";
import { readMeasurements } from "./read_measurements.ts";
import { recordMeasurement } from "./record_measurement.ts";

const db = await createTestDatabase();
const seed = seedWork(db);
const deps: DeploymentDeps = { db, hints: createHints(), planners: {} };
const ada: Actor = { userId: null, name: "ada", role: "admin", ip: null, projectId: DEFAULT_PROJECT };

interface Gate {
  id: string;
  deploymentId: string;
}
const meanwhile: [string, string, (gate: Gate) => Promise<void>][] = [
  ["cancelled", "cancelled", ({ deploymentId }) => cancelDeployment(deps, deploymentId, ada)],
  ["skipped", "success", ({ id }) => skipWait(deps, id, ada)],
  ["paused with its deployment", "pending", ({ deploymentId }) => pauseDeployment(deps, deploymentId, ada)],
];
it.each(meanwhile)(
  "a gate that was %s while it was measured stays so, and keeps no row of it",
  async (_, state, act) => {
    const environmentId = await seed.environment();
    const { id: deploymentId } = await seed.deployment({ environmentId });
    const common = { deploymentId, environmentId, appId: await seed.application() };
    const parentId = await seed.task({ ...common, name: "shop", isLeaf: false, state: "running" });
    const id = await seed.task({
      ...{ ...common, parentId, name: "errors", type: "gate", isLeaf: false },
      payload: { kind: "http", gate: { http: "http://127.0.0.1/" }, application: "shop" },
    });
    await db.sql`update task set fence = 1 where id = ${id}`; // as one that is being measured
    await act({ id, deploymentId });
    expect(await recordMeasurement(db, { id, fence: 1 }, { verdict: "fail", value: 500, note: "it answers 500" })).toBe(
      false,
    );
    const [row] = await db.sql<{ state: string }[]>`select state from task where id = ${id}`;
    expect([row!.state, await readMeasurements(db, id, { limit: 10 })]).toEqual([state, []]);
  },
);
