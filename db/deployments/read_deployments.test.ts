import { expect, it } from "vitest";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";
import { seedWork } from "../../tests/helpers/seed_work.ts";
import { DeploymentWithTasks } from "../../protocol/http_api.ts";
import { getDeployments, getDeploymentWithTasks, listDeployments } from "./read_deployments.ts";

const db = await createTestDatabase();
const seed = seedWork(db);

it("shows a deployment with its task tree, counting the tasks of applications only", async () => {
  const { id, environmentId } = await seed.deployment({ applications: ["user", "order"] });
  const user = await seed.task({ deploymentId: id, environmentId, name: "user", state: "success" });
  await seed.task({ deploymentId: id, environmentId, name: "order", state: "blocked", dependsOn: [user] });
  await seed.task({ deploymentId: id, environmentId, name: "pay", state: "pending" });
  const parent = await seed.task({ deploymentId: id, environmentId, name: "mail", state: "running", isLeaf: false });
  await seed.task({ deploymentId: id, environmentId, name: "node-1", parentId: parent, type: "apply" });
  await seed.task({ deploymentId: id, environmentId, name: "user", isRollback: true });
  const shown = (await getDeploymentWithTasks(db, seed.projectId, id))!;
  expect(DeploymentWithTasks.parse(shown)).toEqual(shown);
  expect(shown.progress).toEqual({ success: 1, pending: 2, running: 1 });
  expect(shown.tasks.map((t) => t.name)).toEqual(["user", "order", "pay", "mail", "node-1", "user"]);
});

it("counts only approvals that were given for the plan as it is now", async () => {
  const { id } = await seed.deployment({ status: "awaiting_approval", approvalsNeeded: 2 });
  const approve = async (actor: string, planHash: string, decision: string) => {
    const userId = await seed.user();
    await db.sql`insert into approval (id, project_id, deployment_id, user_id, actor, decision, plan_hash)
      values (${db.newId()}, ${seed.projectId}, ${id}, ${userId}, ${actor}, ${decision}, ${planHash})`;
  };
  await approve("ann", "plan", "approve");
  await approve("bob", "an older plan", "approve");
  await approve("cid", "plan", "reject");
  const [deployment] = await getDeployments(db, [id]);
  expect(deployment!.approvals).toEqual({ count: 2, given: [{ actor: "ann", at: expect.stringMatching(/Z$/) }] });
});

it("lists newest first, by status, environment, version and application", async () => {
  const applicationId = await seed.application("shop");
  const first = await seed.deployment({ status: "completed", applications: ["shop"] });
  const second = await seed.deployment({ status: "pending", applications: ["other"] });
  const third = await seed.deployment({ ...first, status: "pending", applications: ["shop", "other"] });
  const ids = async (filter: Partial<Parameters<typeof listDeployments>[2]>) =>
    (await listDeployments(db, seed.projectId, { limit: 3, ...filter })).map((d) => d.id);
  expect(await ids({})).toEqual([third.id, second.id, first.id]);
  expect(await ids({ before: third.id, limit: 1 })).toEqual([second.id]);
  expect(await ids({ status: "pending" })).toEqual([third.id, second.id]);
  expect(await ids({ environmentId: first.environmentId })).toEqual([third.id, first.id]);
  expect(await ids({ versionId: second.versionId })).toEqual([second.id]);
  expect(await ids({ applicationId })).toEqual([third.id, first.id]);
  const foreign = await seed.project();
  expect(await listDeployments(db, foreign, { limit: 3 })).toEqual([]);
  expect(await getDeploymentWithTasks(db, foreign, first.id)).toBeUndefined();
});
