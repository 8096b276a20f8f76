import { expect, it } from "vitest";
import { DeploymentWithTasks, type Task, TaskWithDetails } from "../../protocol/http_api.ts";
import { claim, failure, finish, playAll } from "../../tests/helpers/play_tasks.ts";
import { seedWorld } from "../../tests/helpers/seed_release.ts";
import { createTestApi } from "../../tests/helpers/test_api.ts";
import { createTestDatabase } from "../../tests/helpers/test_database.ts";

const db = await createTestDatabase();
const world = await seedWorld(db, { applications: { user: {}, order: { needs: ["user"] }, mail: {} } });
const player = await world.agent("player");
const api = await createTestApi(db, { planners: world.deps.planners });
let count = 0;
const body = async (more: Record<string, unknown> = {}) => ({
  versionId: await world.version(`v${++count}`),
  environmentId: world.environmentId,
  ...more,
});
const plan = async (more: Record<string, unknown> = {}) => {
  const { status, body: made } = await api.request("POST", "/deployments", await body(more), "deployer");
  expect(status).toBe(201);
  return DeploymentWithTasks.parse(made);
};
const act = (id: string, verb: string, note?: string) =>
  api.request("POST", `/deployments/${id}/${verb}`, note === undefined ? undefined : { note }, "deployer");

it("plans, previews without a trace, reorders, starts, and tells what happened", async () => {
  const before = await api.request("GET", "/deployments");
  const preview = await api.request("POST", "/deployments/preview", await body(), "deployer");
  expect(preview.body.tasks.map((t: { name: string }) => t.name).sort()).toEqual(["mail", "order", "user"]);
  expect((await api.request("GET", "/deployments")).body.items).toHaveLength(before.body.items.length);
  const made = await plan();
  expect(made).toMatchObject({ status: "pending", createdBy: "token:deployer", progress: { pending: 3 } });
  const edited = await api.request("PATCH", `/deployments/${made.id}`, { mustInOrder: ["mail", "user"] }, "deployer");
  expect(edited.body.mustInOrder).toEqual(["mail", "user"]);
  const started = await act(made.id, "start", "now");
  expect([started.status, started.body.status]).toEqual([200, "running"]);
  const order = started.body.tasks.find((t: Task) => t.name === "order")!;
  expect(order.blockedBy).toMatchObject([{ name: "user", status: "pending" }]);
  await playAll(db, [player]);
  const done = await api.request("GET", `/deployments/${made.id}`, undefined, "viewer");
  expect(done.body).toMatchObject({ status: "completed", progress: { success: 3 } });
  const { body: timeline } = await api.request("GET", `/deployments/${made.id}/timeline`, undefined, "viewer");
  expect(timeline.items[0]).toMatchObject({ deploymentId: made.id, taskId: null });
  expect(timeline.items.filter((e: { kind: string }) => e.kind === "task.success")).toHaveLength(3);
});

it("lists by filters, page by page", async () => {
  const made = await plan({ applications: ["mail"] });
  const mine = await api.request("GET", `/deployments?versionId=${made.versionId}`);
  expect(mine.body.items.map((d: DeploymentWithTasks) => d.id)).toEqual([made.id]);
  expect(mine.body.items[0].tasks).toBeUndefined();
  const first = await api.request("GET", `/deployments?limit=1&environmentId=${world.environmentId}`);
  expect(first.body.items[0].id).toBe(made.id);
  const next = await api.request("GET", `/deployments?limit=1&cursor=${first.body.nextCursor}`);
  expect(next.body.items[0].id).not.toBe(made.id);
  const ofMail = await api.request("GET", `/deployments?applicationId=${world.applications.mail}&status=pending`);
  expect(ofMail.body.items.map((d: DeploymentWithTasks) => d.id)).toContain(made.id);
  expect((await api.request("GET", "/deployments?status=odd")).body.errors[0].path).toBe("status");
  expect((await api.request("GET", "/deployments?cursor=odd")).status).toBe(400);
});

it("shows the tasks of a failure, and lets a person try them again or give up", async () => {
  const made = await plan({ strategy: { type: "all", onFailure: { action: "pause" } } });
  await act(made.id, "start");
  for (const claimed of await claim(db, player)) await finish(db, claimed, failure());
  const failed = await api.request("GET", `/tasks?deploymentId=${made.id}&status=failed`, undefined, "viewer");
  expect(failed.body.items.length).toBeGreaterThan(0);
  const task = await api.request("GET", `/tasks/${failed.body.items[0].id}`, undefined, "viewer");
  expect(TaskWithDetails.parse(task.body)).toEqual(task.body);
  const retried = await api.request("POST", `/tasks/${task.body.id}/retry`, {}, "deployer");
  expect(retried.status).toBe(200);
  expect((await api.request("POST", `/tasks/${task.body.id}/retry`, {}, "viewer")).status).toBe(403);
  const cancelled = await act(made.id, "cancel", "enough");
  expect(["cancelled", "cancelling"]).toContain(cancelled.body.status);
});

it("refuses what is not possible now, and what is not there", async () => {
  const made = await plan();
  const promoted = await act(made.id, "promote");
  expect([promoted.status, promoted.body.code]).toEqual([409, "deployment.wrong_state"]);
  expect(promoted.body.detail).toContain("Only a running deployment can be promoted");
  expect((await act(made.id, "skip")).body.code).toBe("deployment.no_wait");
  const [task] = made.tasks;
  expect((await api.request("POST", `/tasks/${task!.id}/skip`, {}, "deployer")).body.code).toBe("task.wrong_state");
  for (const verb of ["approve", "reject"]) {
    const answer = await api.request("POST", `/tasks/${task!.id}/${verb}`, {}, "deployer");
    expect([answer.status, answer.body.code]).toEqual([409, "approval.not_waiting"]);
  }
  const decided = await api.request("POST", `/tasks/${task!.id}/decide`, { choice: "retry" }, "deployer");
  expect([decided.status, decided.body.code]).toEqual([
    409,
    "task.not_asked",
  ]);
  const unknown = db.newId();
  for (const path of [`/deployments/${unknown}`, `/deployments/${unknown}/timeline`, `/tasks/${unknown}`]) {
    const { status, body } = await api.request("GET", path);
    expect([status, body.detail]).toEqual([404, expect.stringContaining(unknown)]);
  }
  expect((await act(unknown, "start")).status).toBe(404);
  expect((await act("not-an-id", "start")).status).toBe(400);
});
