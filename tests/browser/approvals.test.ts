/** A gate that measures and a step that asks, as a person sees them: on the overview and on the deployment's page. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reason } from "../../domain/reason.ts";
import type { ApprovalRequest } from "../../protocol/http_api.ts";
import { component } from "../helpers/require_component.ts";
import { measurements, requests } from "./fixture_approvals.ts";
import { secondsAgo } from "./fixture_data.ts";
import { deployments, makeTasks } from "./fixture_deployments.ts";
import { openDashboard } from "./helpers/open_dashboard.ts";
import type { OpenDashboard } from "./helpers/open_dashboard.ts";
import { waitUntilLive } from "./helpers/use_dashboard.ts";

const chromium = component("chromium");

/** One step waits for the one who looks, another for somebody else; a gate has measured twice. */
function setTheScene() {
  const running = deployments.running!;
  running.tasks = makeTasks(running.id, [{
    name: "order-service",
    state: "running",
    parts: [
      { name: "m1.eu", state: "success" },
      { name: "errors", state: "pending", type: "gate", after: ["m1.eu"] },
      { name: "approval", state: "pending", type: "approval", after: ["m1.eu"] },
    ],
  }]);
  const part = (name: string) => running.tasks.find((task) => task.name === name)!;
  part("errors").payload = { kind: "prometheus", gate: { prometheus: "errors", max: 0.01, for: "5m" } };
  part("errors").reason = reason("task.gate_measuring", {
    ...{ note: "0.002", rule: "at most 0.01", passed: 2, count: 6, until: "2026-11-22T10:05:00Z" },
  });
  const request: ApprovalRequest = {
    ...{
      id: part("approval").id,
      kind: "task",
      deploymentId: running.id,
      taskId: part("approval").id,
      name: "approval",
    },
    ...{ version: "v1.5.0", commit: null, environment: "prod", applications: ["order-service"], createdBy: "ann" },
    removes: false,
    ...{ count: 2, missing: 1, roles: ["lead"], notAuthor: true, planHash: "x", since: secondsAgo(60) },
    ...{ expiresAt: secondsAgo(-3600), onExpire: "reject", mayVote: true, why: "" },
    votes: [{ actor: "cleo", decision: "approve", note: "Looks good.", at: secondsAgo(30), counts: true }],
  };
  const why = "This is answered by ops; your role is admin.";
  requests.push(request, { ...request, id: running.id, roles: ["ops"], mayVote: false, why });
  measurements.push(
    { number: 2, at: secondsAgo(5), value: null, verdict: "no_data", note: "the query has no result" },
    { number: 1, at: secondsAgo(65), value: 0.002, verdict: "pass", note: "0.002" },
  );
  return { running, task: part("approval") };
}

describe.skipIf(!chromium.available)(`gates and approvals in a browser${chromium.reason}`, () => {
  let dashboard: OpenDashboard;
  let server: OpenDashboard["server"];
  let page: OpenDashboard["page"];
  const { running, task } = setTheScene();

  beforeAll(async () => {
    dashboard = await openDashboard();
    ({ server, page } = dashboard);
  });
  afterAll(async () => {
    requests.splice(0);
    measurements.splice(0);
    await dashboard.close();
  });

  it("tells on the overview what waits for the one who looks, and takes the answer there", async () => {
    await page.goto(`${server.url}/`);
    await waitUntilLive(page);
    const mine = page.locator("[data-requests=mine] [data-request]");
    await mine.getByText(/A step of order-service: 1 of 2 approvals missing · lead · not its author/).waitFor();
    await mine.getByText("cleo approved: Looks good.").waitFor();
    await mine.getByText(/rejected in (60|5\d) minutes/).waitFor();
    expect(await mine.count()).toBe(1);
    await mine.locator("[data-action=approve-request]").click();
    await page.locator("dialog textarea").fill("From the overview.");
    await page.locator("dialog [data-action=submit]").click();
    await expect.poll(() => server.calls.at(-1)).toEqual({
      ...{ method: "POST", path: `/tasks/${task.id}/approve`, body: { note: "From the overview." } },
    });
  });

  it("tells on the deployment's page who else is asked, and rejects with a note", async () => {
    await page.goto(`${server.url}/deployments/${running.id}`);
    await waitUntilLive(page);
    const others = page.locator("[data-request][data-may=false]");
    await others.getByText("This is answered by ops; your role is admin.").waitFor();
    expect(await others.locator("button").count()).toBe(0);
    await page.locator("[data-may=true] [data-action=reject-request]").click();
    expect(await page.locator("dialog [data-action=submit]").isDisabled()).toBe(true);
    await page.locator("dialog textarea").fill("Too many errors.");
    await page.locator("dialog [data-action=submit]").click();
    await expect.poll(() => server.calls.at(-1)?.path).toBe(`/tasks/${task.id}/reject`);
  });

  it("shows each measurement of a gate with its verdict", async () => {
    const { id } = running.tasks.find((one) => one.name === "errors")!;
    await page.goto(`${server.url}/deployments/${running.id}?task=${id}`);
    const panel = page.locator(".task-panel");
    await panel.getByText(/wanted: at most 0\.01\. 2 of 6 measurements passed/).waitFor();
    await panel.locator("tr[data-verdict=pass]", { hasText: "0.002" }).waitFor();
    await panel.locator("tr[data-verdict=no_data]", { hasText: "the query has no result" }).waitFor();
  });
});
