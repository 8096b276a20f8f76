import { describe, expect, it } from "vitest";
import type { Deployment, DeploymentWithTasks, Overview, Task } from "../../protocol/http_api.ts";
import type { LiveEvent } from "../../protocol/live_events.ts";
import { mergeTasks, reduceDeployment, reduceDeployments, reduceOverview, reduceTimeline } from "./reduce_live.ts";

const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;
const deployment = (id: string, second: number, status = "running") =>
  ({ id, status, updatedAt: at(second) }) as unknown as Deployment;
const task = (id: string, second: number, status = "running") =>
  ({ id, status, updatedAt: at(second) }) as unknown as Task;
const told = (one: Deployment): LiveEvent => ({ type: "deployment", at: one.updatedAt, deployment: one });
const page = (...items: Deployment[]) => ({ items, nextCursor: null });

describe("a list of deployments", () => {
  it("puts a new one first and leaves the others where they are", () => {
    const next = reduceDeployments(page(deployment("b", 1), deployment("a", 1)), told(deployment("c", 2)));
    expect(next).toMatchObject({ items: [{ id: "c" }, { id: "b" }, { id: "a" }] });
  });

  it("changes one in its place", () => {
    const next = reduceDeployments(page(deployment("b", 1), deployment("a", 1)), told(deployment("a", 2, "completed")));
    expect(next).toMatchObject({ items: [{ id: "b" }, { id: "a", status: "completed" }] });
  });

  it("is not set back by an event that was under way", () => {
    expect(reduceDeployments(page(deployment("a", 5, "completed")), told(deployment("a", 4)))).toBeUndefined();
  });
});

describe("a deployment's page", () => {
  const shown = { ...deployment("a", 1), tasks: [task("t1", 1), task("t2", 1)] } as DeploymentWithTasks;

  it("keeps its tasks when the deployment changes", () => {
    expect(reduceDeployment(shown, told(deployment("a", 2, "paused")))).toMatchObject({
      status: "paused",
      tasks: [{ id: "t1" }, { id: "t2" }],
    });
  });

  it("ignores another deployment", () => {
    expect(reduceDeployment(shown, told(deployment("b", 2)))).toBeUndefined();
    expect(reduceDeployment(shown, { type: "tasks", at: at(2), deploymentId: "b", tasks: [] })).toBeUndefined();
  });

  it("adds a rollback's tasks behind the others, each task at its newest", () => {
    expect(mergeTasks(shown.tasks, [task("t2", 0, "pending"), task("t1", 2, "failed"), task("r1", 2)]))
      .toMatchObject([{ id: "t1", status: "failed" }, { id: "t2", status: "running" }, { id: "r1" }]);
  });
});

describe("the overview", () => {
  const overview = { deployments: [deployment("a", 1)] } as unknown as Overview;

  it("moves its deployments at once and has its sums read again", () => {
    expect(reduceOverview(overview, told(deployment("b", 2)))).toMatchObject({
      deployments: [{ id: "b" }, { id: "a" }],
    });
    expect(reduceOverview(overview, { type: "changed", topic: "agents", id: null })).toBe("reload");
  });
});

describe("a timeline", () => {
  const entry = {
    id: 7,
    at: at(1),
    deploymentId: "a",
    taskId: null,
    kind: "deployment.running",
    name: "",
    reason: { code: "", params: {}, text: "" },
  };

  it("grows by what is new and passes over what a cut stream tells again", () => {
    const { id: _, ...rest } = entry;
    expect(reduceTimeline([entry], { type: "timeline", ...entry })).toBeUndefined();
    expect(reduceTimeline([entry], { type: "timeline", ...entry, id: 8 })).toHaveLength(2);
    expect(reduceTimeline([entry], { type: "timeline", ...rest })).toBe("reload");
  });
});
