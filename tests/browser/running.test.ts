/** What runs as a person sees it: health and sync by target, what differs, the processes, and the live output. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { component } from "../helpers/require_component.ts";
import { applications, environments } from "./fixture_data.ts";
import { startFixtureServer } from "./fixture_server.ts";
import type { FixtureServer } from "./fixture_server.ts";
import { buildDashboard } from "./helpers/build_dashboard.ts";
import { enterSignedIn, launchBrowser, openContext } from "./helpers/launch_browser.ts";
import type { TestBrowser, WatchedContext } from "./helpers/launch_browser.ts";

const chromium = component("chromium");

describe.skipIf(!chromium.available)(`what runs, in a browser${chromium.reason}`, () => {
  let browser: TestBrowser;
  let folder: string;
  let server: FixtureServer;
  let watched: WatchedContext;
  let page: Page;

  beforeAll(async () => {
    folder = await buildDashboard();
    browser = await launchBrowser();
    server = startFixtureServer(folder);
    watched = await openContext(browser);
    page = await watched.newPage();
    await enterSignedIn(watched, server.url);
  });
  afterAll(async () => {
    const { troubles } = watched;
    await watched.context.close();
    await server.stop();
    await browser.close();
    await Deno.remove(folder, { recursive: true });
    expect(troubles).toEqual([]);
  });

  it("an environment says what differs in words, what was done about it, and which machine is away since when", async () => {
    await page.goto(`${server.url}/environments/${environments[0]!.id}`);
    const row = page.locator("tr[data-target]", { hasText: applications[4]!.name });
    await row.locator("[data-action=details]").click();
    const difference = page.locator("[data-difference='env.LOG_LEVEL']");
    expect((await difference.locator("td").allTextContents()).map((text) => text.trim())).toEqual([
      "env.LOG_LEVEL",
      "info",
      "debug",
    ]);
    await page.locator("[data-difference='labels.team']", { hasText: "(ignored)" }).waitFor();
    await page.getByText("Applied again 2 times within the hour").waitFor();
    await page.locator("[data-resource=process]", { hasText: "pid 804" }).waitFor();
    await page.locator("tr[data-target]", { hasText: "Offline, last seen" }).first().waitFor();
    if (Deno.env.get("BOREAS_SCREENSHOTS")) {
      await page.screenshot({ path: `${Deno.env.get("BOREAS_SCREENSHOTS")}/environment.png`, fullPage: true });
    }
  });

  it("an application shows its live output, and closes it with Escape", async () => {
    await page.goto(`${server.url}/applications/${applications[2]!.id}`);
    await page.locator("[data-action=details]").first().click();
    await page.getByText("answered 503").waitFor();
    const button = page.locator("[data-action=output]").first();
    await button.focus();
    await page.keyboard.press("Enter");
    await page.locator(".log-row", { hasText: "GET /healthz 200" }).waitFor();
    if (Deno.env.get("BOREAS_SCREENSHOTS")) {
      await page.screenshot({ path: `${Deno.env.get("BOREAS_SCREENSHOTS")}/application.png`, fullPage: true });
    }
    await page.locator("[data-action=close-output]").focus();
    await page.keyboard.press("Escape");
    await expect.poll(() => page.locator("[data-output]").count()).toBe(0);
  });
});
