import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { createDeployment } from "../db/deployments/create_deployment.ts";
import { startDeployment } from "../db/deployments/start_deployment.ts";
import { cancelDeployment } from "../db/deployments/cancel_deployment.ts";
import { seedWorld } from "../tests/helpers/seed_release.ts";
import type { World } from "../tests/helpers/seed_release.ts";
import { startScheduler, until } from "../tests/helpers/start_scheduler.ts";
import type { StartedScheduler } from "../tests/helpers/start_scheduler.ts";
import { createTestDatabase } from "../tests/helpers/test_database.ts";
import type { TestDatabase } from "../tests/helpers/test_database.ts";

let db: TestDatabase;
let started: StartedScheduler | undefined;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterEach(async () => {
  await started?.stop();
  started = undefined;
});

async function deploy(
  applications: Record<string, Record<string, unknown>>,
  input: Record<string, unknown> = {},
): Promise<{ world: World; id: string; agentId: string; run: StartedScheduler }> {
  const run = started = await startScheduler(db);
  const world = await seedWorld(db, { applications });
  world.deps.hints = run.hints;
  const agentId = await world.agent(`agent-${db.newId().slice(-8)}`);
  const id = await createDeployment(world.deps, {
    versionId: await world.version(`v-${db.newId().slice(-8)}`),
    environmentId: world.environmentId,
    ...input,
  }, world.actor);
  return { world, id, agentId, run };
}
const status = async (id: string) =>
  (await db.sql<{ status: string }[]>`select status from deployment where id = ${id}`)[0]!.status;
const ended = (run: StartedScheduler, id: string, want: string) =>
  until(run.hints, async () => (await status(id)) === want, `deployment ${want}`);
const begun = (run: StartedScheduler, id: string) =>
  until(
    run.hints,
    async () => (await db.sql`select 1 from task where deployment_id = ${id} and state = 'running'`).length > 0,
    "a running task",
  );
const unique = (name: string) => `${name}-${db.newId().slice(-6)}`;

describe("the whole path", () => {
  it("carries a chain from start to end without any sweep in between, and keeps every line", async () => {
    const names = ["a", "b", "c", "d"].map(unique);
    const apps = Object.fromEntries(names.map((n) => [n, { mock: { steps: [{ log: [`hello from ${n}`] }] } }]));
    const { world, id, agentId, run } = await deploy(apps, { mustInOrder: names });
    await run.agent(agentId);
    await startDeployment(world.deps, id, world.actor);
    await ended(run, id, "completed");
    const tasks = await db.sql<{ name: string; attempt: number; log: Uint8Array }[]>`
      select t.name, t.attempt, (select string_agg(c.data, ''::bytea order by c.sequence) from log_chunk c where c.task_id = t.id) as log
      from task t where t.deployment_id = ${id} order by t.started_at`;
    expect(tasks.map((t) => t.name)).toEqual(names);
    for (const task of tasks) {
      expect(task.attempt).toBe(1);
      expect(new TextDecoder().decode(task.log)).toContain(`hello from ${task.name}`);
    }
  });

  it("names the failing step's sentence as the cause", async () => {
    const name = unique("a");
    const { world, id, agentId, run } = await deploy({
      [name]: { mock: { steps: [{}, {}], failAtStep: 2, message: "The migration is locked." } },
    });
    await run.agent(agentId);
    await startDeployment(world.deps, id, world.actor);
    await ended(run, id, "failed");
    const [row] = await db.sql<{ errorMessage: string }[]>`select error_message from deployment where id = ${id}`;
    expect(row!.errorMessage).toContain("The migration is locked.");
  });

  it("cancels a task that hangs, and only the agent's word ends it", async () => {
    const name = unique("a");
    const { world, id, agentId, run } = await deploy({ [name]: { mock: { hang: true } } });
    await run.agent(agentId);
    await startDeployment(world.deps, id, world.actor);
    await begun(run, id);
    await cancelDeployment(world.deps, id, world.actor);
    await ended(run, id, "cancelled");
    const [task] = await db.sql<{ state: string }[]>`select state from task where deployment_id = ${id}`;
    expect(task!.state).toBe("cancelled");
  });

  it("goes on under the same attempt and fence when the connection breaks in mid-task", async () => {
    const name = unique("a");
    const { world, id, agentId, run } = await deploy({
      [name]: { mock: { steps: [{ log: ["one"], duration: "300ms" }, { log: ["two"], duration: "300ms" }] } },
    });
    const { cut } = await run.agent(agentId);
    await startDeployment(world.deps, id, world.actor);
    await begun(run, id);
    cut();
    await ended(run, id, "completed");
    const [task] = await db.sql<
      { attempt: number; fence: number }[]
    >`select attempt, fence from task where deployment_id = ${id}`;
    expect(task).toEqual({ attempt: 1, fence: 1 });
  });

  it("hands a task out again, under the next fence, when its agent comes back without it", async () => {
    const name = unique("a");
    const { world, id, agentId, run } = await deploy({ [name]: { mock: { steps: [{ log: ["once"] }] } } });
    // A lease that no agent knows of: as a master leaves it that dies between claim and dispatch.
    await startDeployment(world.deps, id, world.actor);
    await db
      .sql`update task set state = 'leased', agent_id = ${agentId}, attempt = 1, fence = 1, lease_expires_at = boreas_now() + interval '1 hour' where deployment_id = ${id}`;
    await run.agent(agentId);
    await ended(run, id, "completed");
    const [task] = await db.sql<
      { attempt: number; fence: number; losses: number }[]
    >`select attempt, fence, losses from task where deployment_id = ${id}`;
    expect(task).toEqual({ attempt: 2, fence: 2, losses: 1 });
  });

  it("frees the slot of a task that its agent dropped without a word and somebody else has ended", async () => {
    const [name, later] = [unique("a"), unique("b")];
    const { world, id, agentId, run } = await deploy({ [name]: { mock: { hang: true } }, [later]: { needs: [name] } });
    await run.agent(agentId, { slots: 1 });
    await startDeployment(world.deps, id, world.actor);
    await begun(run, id);
    expect(run.scheduler.stats().held).toBe(1);
    // As the database looks when the lease passed on and its next holder was done.
    await db
      .sql`update task set state = 'success', agent_id = null, lease_expires_at = null, completed_at = boreas_now(), fence = fence + 1
      where deployment_id = ${id} and state = 'running'`;
    run.hints.announce("agents");
    await expect.poll(() => run.scheduler.stats().held).toBe(0);
  });

  it("stops cleanly, twice, and leaves running work as it is", async () => {
    const name = unique("a");
    const { world, id, agentId, run } = await deploy({ [name]: { mock: { hang: true } } });
    await run.agent(agentId);
    await startDeployment(world.deps, id, world.actor);
    await begun(run, id);
    await run.scheduler.stop();
    await run.scheduler.stop();
    const [task] = await db.sql<{ state: string }[]>`select state from task where deployment_id = ${id}`;
    expect(task!.state).toBe("running");
  });
});
