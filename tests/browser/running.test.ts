/** What runs as a person sees it: health and sync by target, what differs, the processes, and the live output. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { component } from "../helpers/require_component.ts";
import { applications, environments } from "./fixture_data.ts";
import { openDashboard } from "./helpers/open_dashboard.ts";
import type { OpenDashboard } from "./helpers/open_dashboard.ts";

const chromium = component("chromium");

describe.skipIf(!chromium.available)(`what runs, in a browser${chromium.reason}`, () => {
  let dashboard: OpenDashboard;
  let server: OpenDashboard["server"];
  let page: OpenDashboard["page"];

  beforeAll(async () => {
    dashboard = await openDashboard();
    ({ server, page } = dashboard);
  });
  afterAll(async () => {
    await dashboard.close();
  });

  it("an environment says what differs in words, what was done about it, and which machine is away since when", async () => {
    await page.goto(`${server.url}/environments/${environments[0]!.id}`);
    const row = page.locator("tr[data-target]", { hasText: applications[4]!.name });
    await row.locator("[data-action=details]").click();
    const difference = page.locator("[data-difference='env.LOG_LEVEL']");
    await difference.waitFor();
    expect((await difference.locator("td").allTextContents()).map((text) => text.trim())).toEqual([
      "env.LOG_LEVEL",
      "info",
      "debug",
    ]);
    await page.locator("[data-difference='labels.team']", { hasText: "(ignored)" }).waitFor();
    await page.getByText("Applied again 2 times within the hour").waitFor();
    await page.locator("[data-resource=process]", { hasText: "pid 804" }).waitFor();
    await page.locator("tr[data-target]", { hasText: "Offline, last seen" }).first().waitFor();
    await dashboard.shoot("environment");
  });

  it("an application shows its live output, and closes it with Escape", async () => {
    await page.goto(`${server.url}/applications/${applications[2]!.id}`);
    await page.locator("[data-action=details]").first().click();
    await page.getByText("answered 503").waitFor();
    const button = page.locator("[data-action=output]").first();
    await button.focus();
    await page.keyboard.press("Enter");
    await page.locator(".log-row", { hasText: "GET /healthz 200" }).waitFor();
    await dashboard.shoot("application");
    await page.locator("[data-action=close-output]").focus();
    await page.keyboard.press("Escape");
    await expect.poll(() => page.locator("[data-output]").count()).toBe(0);
  });
});
