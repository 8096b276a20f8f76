/** Versions as context in a browser: who carries a commit, what changed, and applications that come and go. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { component } from "../helpers/require_component.ts";
import { applications, versions } from "./fixture_data.ts";
import { openDashboard } from "./helpers/open_dashboard.ts";
import type { OpenDashboard } from "./helpers/open_dashboard.ts";

const chromium = component("chromium");

describe.skipIf(!chromium.available)(`versions as context, in a browser${chromium.reason}`, () => {
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

  it("a commit is found in what carries it", async () => {
    await page.goto(`${server.url}/versions`);
    const form = page.locator("form[name=commit-search]");
    await form.locator("input").fill("C0FFEE1");
    await form.locator("[data-action=search-commit]").click();
    const found = page.locator("[data-found=commit]");
    await found.getByText("Mend the total").waitFor();
    expect((await found.locator("tbody tr td").allTextContents()).slice(0, 3)).toEqual([
      applications[0]!.name,
      expect.any(String),
      "m1",
    ]);
  });

  it("a version shows what changed since the one before it, secrets by name", async () => {
    await page.goto(`${server.url}/versions/${versions[0]!.id}`);
    const since = page.locator("label", { hasText: "Since" }).locator("select");
    await since.selectOption(versions[1]!.id);
    await page.locator("[data-changes=newer]").getByText("Mend the total").waitFor();
    const row = page.locator("[data-value='env.LOG_LEVEL'] td");
    expect(await row.allTextContents()).toEqual(["env.LOG_LEVEL", "info", "debug"]);
    await page.locator("[data-value='secrets.API_KEY']", { hasText: "by name" }).waitFor();
  });

  it("a proposed application is approved or dismissed, an archived one says what still runs of it", async () => {
    await page.goto(`${server.url}/applications`);
    const proposed = page.locator("[data-application=search-service]");
    await proposed.locator("[data-action=dismiss]").waitFor();
    const sent = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/approve"));
    await proposed.locator("[data-action=approve]").click();
    expect(new URL((await sent).url()).pathname).toBe(`/api/v1/applications/${versions[0]!.id}/approve`);
    await page.locator("[data-application=old-service]", { hasText: "still runs on 2 targets" }).waitFor();
  });
});
