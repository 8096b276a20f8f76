/** A deployment that asks, one that is frozen, and the freezes of an environment, as a person sees and answers them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reason } from "../../domain/reason.ts";
import { component } from "../helpers/require_component.ts";
import { environments } from "./fixture_data.ts";
import { deployments, makeTasks } from "./fixture_deployments.ts";
import { openDashboard } from "./helpers/open_dashboard.ts";
import type { OpenDashboard } from "./helpers/open_dashboard.ts";
import { waitUntilLive } from "./helpers/use_dashboard.ts";

const chromium = component("chromium");

describe.skipIf(!chromium.available)(`failures and freezes in a browser${chromium.reason}`, () => {
  let dashboard: OpenDashboard;
  let server: OpenDashboard["server"];
  let page: OpenDashboard["page"];
  const asking = deployments.running!;
  const frozen = deployments.pending!;
  asking.status = "paused";
  asking.reason = reason("deployment.paused_on_failure", { task: "order-service", detail: "The port is taken." });
  asking.tasks = makeTasks(asking.id, [{ name: "order-service", state: "failed" }]);
  frozen.status = "pending";
  frozen.reason = reason("deployment.frozen", { until: "2999-01-01T00:00:00Z", why: "the Plan", roles: "incident" });

  beforeAll(async () => {
    dashboard = await openDashboard();
    ({ server, page } = dashboard);
  }, 120_000);
  afterAll(async () => {
    await dashboard.close();
  });

  it("a failure that asks is answered with a choice and a note, and is not resumed over", async () => {
    await page.goto(`${server.url}/deployments/${asking.id}`);
    await waitUntilLive(page);
    await page.locator("[data-question] [data-action=decide-ignore]").click();
    await page.locator("dialog textarea").fill("Known.");
    await page.locator("dialog [data-action=submit]").click();
    await expect.poll(() => server.calls.at(-1)).toEqual({
      method: "POST",
      path: `/tasks/${asking.tasks[0]!.id}/decide`,
      body: { choice: "ignore", note: "Known." },
    });
    expect(await page.locator("[data-action=resume]").count()).toBe(0);
  });

  it("a freeze is passed with a reason", async () => {
    await page.goto(`${server.url}/deployments/${frozen.id}`);
    await waitUntilLive(page);
    await page.locator("[data-action=start]").click();
    const submit = page.locator("dialog [data-action=submit]");
    expect(await submit.isDisabled()).toBe(true);
    await page.locator("dialog textarea").fill("Orders are lost.");
    await submit.click();
    await expect.poll(() => server.calls.at(-1)).toEqual({
      method: "POST",
      path: `/deployments/${frozen.id}/start`,
      body: { override: { reason: "Orders are lost." } },
    });
  });

  it("an environment shows who froze it, and lets one end that", async () => {
    await page.goto(`${server.url}/environments/${environments[0]!.id}`);
    await page.locator("[data-freezes]").getByText("lead: Stocktaking.").waitFor();
    await page.locator("[data-action=thaw]").click();
    await page.locator("dialog textarea").fill("Counted.");
    await page.locator("dialog [data-action=submit]").click();
    await expect.poll(() => server.calls.at(-1)).toEqual({
      method: "POST",
      path: `/freezes/${environments[0]!.id}/end`,
      body: { reason: "Counted." },
    });
  });
});
