import { describe, expect, it } from "vitest";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { Task } from "../../protocol/http_api.ts";
import { getTask, getTasks, getTasksOfDeployment, listTasks } from "./read_tasks.ts";

const db = await createTestDatabase();
const seed = seedWork(db);

describe("reading tasks", () => {
  it("shows a blocked task with who blocks it, in what state, since when", async () => {
    const { id: deploymentId, environmentId } = await seed.deployment();
    const agentId = await seed.agent({ name: "node-1" });
    const done = await seed.task({ deploymentId, environmentId, name: "user", state: "success" });
    const busy = await seed.task({ deploymentId, environmentId, name: "order", state: "running", agentId });
    const wrong = await seed.task({ deploymentId, environmentId, name: "mail", state: "failed" });
    const id = await seed.task({
      deploymentId,
      environmentId,
      name: "payment",
      state: "blocked",
      dependsOn: [done, busy, wrong],
    });
    const task = (await getTask(db, seed.projectId, id))!;
    expect(Task.parse(task)).toEqual(task);
    expect(task).toMatchObject({ step: "blocked", status: "pending", dependencies: [done, busy, wrong] });
    expect(task.blockedBy.map((b) => [b.name, b.status])).toEqual([["order", "running"], ["mail", "failed"]]);
    expect(task.blockedBy[0]!.since).toMatch(/^\d{4}-.*Z$/);
    const holder = (await getTask(db, seed.projectId, busy))!;
    expect(holder).toMatchObject({ agent: "node-1", agentId, status: "running", blockedBy: [] });
  });

  it("lists the tasks of applications, newest first, and the whole tree when asked", async () => {
    const { id: deploymentId, environmentId } = await seed.deployment();
    const parent = await seed.task({ deploymentId, environmentId, isLeaf: false, position: 1 });
    const part = await seed.task({ deploymentId, environmentId, parentId: parent, type: "apply", position: 2 });
    const other = await seed.task({ deploymentId, environmentId, state: "failed", position: 3 });
    const ids = async (filter: Parameters<typeof listTasks>[2], limit = 10) =>
      (await listTasks(db, seed.projectId, { deploymentId, ...filter }, limit)).map((t) => t.id);
    expect(await ids({})).toEqual([other, parent]);
    expect(await ids({ wholeTree: true })).toEqual([other, part, parent]);
    expect(await ids({ wholeTree: true }, 2)).toEqual([other, part]);
    expect(await ids({ before: other })).toEqual([parent]);
    expect(await ids({ status: "failed" })).toEqual([other]);
    expect(await ids({ step: "pending", status: "failed" })).toEqual([]);
    expect((await getTasksOfDeployment(db, deploymentId)).map((t) => t.id)).toEqual([parent, part, other]);
    expect((await getTasks(db, [other, parent])).map((t) => t.id)).toEqual([parent, other]);
  });

  it("finds what waits and runs in deployments that are open, and anywhere within one", async () => {
    const mine = seedWork(db, await seed.project());
    const listed = async (filter: Parameters<typeof listTasks>[2]) =>
      (await listTasks(db, mine.projectId, filter, 10)).map((t) => t.id);
    const [running, planned, old] = [
      await mine.deployment({ status: "running" }),
      await mine.deployment({ status: "pending" }),
      await mine.deployment({ status: "superseded" }),
    ];
    const of = (d: { id: string; environmentId: string }) => ({ deploymentId: d.id, environmentId: d.environmentId });
    const atWork = await mine.task({ ...of(running), state: "running" });
    const parent = await mine.task({ ...of(running), state: "running", isLeaf: false });
    const waiting = await mine.task({ ...of(running), state: "pending" });
    const next = await mine.task({ ...of(planned), state: "pending" });
    const never = await mine.task({ ...of(old), state: "pending" });
    expect(await listed({ status: "running" })).toEqual([parent, atWork]);
    expect(await listed({ status: "cancelling" })).toEqual([]);
    expect(await listed({ step: "pending" })).toEqual([next, waiting]);
    expect(await listed({ step: "pending", deploymentId: old.id })).toEqual([never]);
  });

  it("shows nothing of another project", async () => {
    const foreign = seedWork(db, await seed.project());
    const { id: deploymentId, environmentId } = await foreign.deployment();
    const id = await foreign.task({ deploymentId, environmentId });
    expect(await getTask(db, seed.projectId, id)).toBeUndefined();
    expect(await listTasks(db, seed.projectId, { deploymentId }, 10)).toEqual([]);
    expect((await getTask(db, foreign.projectId, id))!.id).toBe(id);
  });

  it("reads a page of a hundred thousand tasks by index", async () => {
    const { id: deploymentId, environmentId } = await seed.deployment();
    await db.sql`
      insert into task (id, project_id, deployment_id, environment_id, name, type, position, state, reason, is_leaf, unmet, completed_at)
      select gen_random_uuid(), ${seed.projectId}, ${deploymentId}, ${environmentId}, 't', 'deploy', n,
        case when n % 1000 = 0 then 'failed' else 'success' end, '{}', true, 0, boreas_now()
      from generate_series(1, 100000) n`;
    await db.sql`analyze task`;
    const plan = async (where: string) =>
      JSON.stringify(
        await db.sql.unsafe(
          `explain select t.id from task t left join agent a on a.id = t.agent_id
            where t.project_id = '${seed.projectId}' ${where} order by t.id desc limit 51`,
        ),
      );
    expect(await plan("and t.parent_id is null")).toContain("Index Scan Backward using task_pkey");
    expect(await plan("and t.state = any('{failed}') and t.state in ('failed', 'cancelled', 'skipped')"))
      .toMatch(/Index Scan[^"]* using task_(trouble|failed) /);
    expect(await listTasks(db, seed.projectId, { status: "failed" }, 51)).toHaveLength(51);
  });
});
