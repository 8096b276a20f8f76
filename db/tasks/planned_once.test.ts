import { beforeAll, describe, expect, it } from "vitest";
import { Outcome } from "../../protocol/operation.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import type { World } from "../../tests/helpers/seed_release.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import type { TestDatabase } from "../../tests/helpers/test_database.ts";
import { openClient } from "../client.ts";
import type { Sql } from "../client.ts";
import { createDeployment } from "../deployments/create_deployment.ts";
import { startDeployment } from "../deployments/start_deployment.ts";
import { createTaskStore } from "./task_store.ts";

const OLD = 20_000;
const half = () => 0.5;

describe("connections that plan a statement once", () => {
  let db: TestDatabase;
  let sql: Sql;
  let w: World;
  let agentId: string;
  beforeAll(async () => {
    db = await createTestDatabase();
    sql = openClient(db.target, { max: 1, plansOnce: true });
    await sql`select 1`; // as in createTestDatabase
    w = await seedWorld(db, { applications: { front: { needs: ["back"] }, back: {} } });
    agentId = await w.agent("worker");
    return () => sql.end({ timeout: 5 });
  });

  /** Every verb of a task's way once, from its claim to the end of its deployment. @returns how many tasks ended */
  async function release(version: string): Promise<number> {
    const versionId = await w.version(version);
    const id = await createDeployment(w.deps, { versionId, environmentId: w.environmentId }, w.actor);
    await startDeployment(w.deps, id, w.actor);
    const store = createTaskStore({ ...db, sql });
    const slots = [{ agentId, agentName: "worker", free: 10 }];
    let ended = 0;
    let held = await store.claimTasks(slots, 30);
    while (held.length > 0) {
      const leases = held.map((task) => ({ taskId: task.id, fence: task.fence, agentId }));
      await store.acceptTasks(leases);
      await store.renewLeases(leases, 30);
      await store.readHeld([agentId]);
      await store.readCancels([agentId]);
      await store.reapTasks({ leaseSeconds: 30, graceSeconds: 0, chance: half });
      const outcome = Outcome.parse({ status: "success", message: "Done." });
      const { taken, claimed } = await store.finishAndHandOn(
        leases.map((lease) => ({ ...lease, outcome })),
        half,
        slots,
        30,
      );
      ended += taken.length;
      held = claimed;
    }
    const [row] = await db.sql<{ status: string }[]>`select status from deployment where id = ${id}`;
    expect(row!.status).toBe("completed");
    return ended;
  }

  /** Rows of `task` that this connection has read so far, found by an index or not. */
  async function readRows(): Promise<number> {
    await sql`select pg_stat_force_next_flush()`;
    const [row] = await sql<{ rows: number }[]>`
      select (seq_tup_read + coalesce(idx_tup_fetch, 0))::float8 as rows from pg_stat_user_tables where relname = 'task'`;
    return row!.rows;
  }

  it("read no more of a table that grew by thousands of rows since the plans were made", async () => {
    await release("v1"); // the plans are made here, with next to nothing in the table
    const before = await readRows();
    const ended = await release("v2");
    const small = await readRows() - before;
    expect(ended).toBe(2);
    await db.sql`
      insert into task (id, project_id, deployment_id, environment_id, app_id, name, type, position, state, reason, is_leaf, unmet, payload, completed_at, target_agent_id, last_agent_id)
      select gen_random_uuid(), t.project_id, t.deployment_id, t.environment_id, t.app_id, t.name, t.type, 100 + n, case when n % 2 = 0 then 'failed' else t.state end, t.reason, t.is_leaf, 0, t.payload, t.completed_at, t.target_agent_id, t.last_agent_id
      from (select * from task where is_leaf and state = 'success' limit 1) t, generate_series(1, ${OLD}::int) n`;
    const grown = await readRows();
    expect(await release("v3")).toBe(2);
    expect(await readRows() - grown, `${small} rows were read before the table grew`).toBeLessThan(OLD / 10);
  });
});
