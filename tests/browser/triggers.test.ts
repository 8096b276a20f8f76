/** Triggers as a person sees them: what comes next, what they said and why, and what firing one would do. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { component } from "../helpers/require_component.ts";
import { repositories, versions } from "./fixture_data.ts";
import { triggers } from "./fixture_triggers.ts";
import { startFixtureServer } from "./fixture_server.ts";
import type { FixtureServer } from "./fixture_server.ts";
import { buildDashboard } from "./helpers/build_dashboard.ts";
import { enterSignedIn, launchBrowser, openContext } from "./helpers/launch_browser.ts";
import type { TestBrowser, WatchedContext } from "./helpers/launch_browser.ts";

const chromium = component("chromium");

describe.skipIf(!chromium.available)(`triggers, in a browser${chromium.reason}`, () => {
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
  const shoot = async (name: string) => {
    const to = Deno.env.get("BOREAS_SCREENSHOTS");
    if (to) await page.screenshot({ path: `${to}/${name}.png`, fullPage: true });
  };

  it("are listed with the next tick, the last event and why", async () => {
    await page.goto(`${server.url}/triggers`);
    const row = page.locator(`tr[data-id='${triggers[0]!.id}']`);
    await row.getByText("Nothing to do: production runs v1.4.2 already.").waitFor();
    await row.getByText("in 2 d").waitFor();
    await page.locator(`tr[data-id='${triggers[2]!.id}']`).getByText("Off", { exact: true }).waitFor();
    await shoot("triggers");
  });

  it("show every event, and in a dry run what would happen", async () => {
    await page.goto(`${server.url}/triggers/${triggers[0]!.id}`);
    await page.locator("[data-outcome=waiting]", { hasText: "has to stay well on staging" }).waitFor();
    await page.locator("[data-action=fire]").click();
    await page.locator("dialog [data-action=dry-run]").click();
    await page.locator("dialog [role=status]", { hasText: "Nothing to do" }).waitFor();
    await shoot("trigger_fire");
    expect(server.calls.at(-1)).toMatchObject({ path: expect.stringMatching(/fire$/), body: { dryRun: true } });
  });

  it("are named by the delivery and the version that they looked at", async () => {
    await page.goto(`${server.url}/repositories/${repositories[0]!.id}`);
    await page.locator("[data-action=why]").first().click();
    await page.locator("[data-runs] [data-outcome=fired] a", { hasText: "nightly" }).waitFor();
    await shoot("delivery_triggers");
    await page.goto(`${server.url}/versions/${versions[0]!.id}`);
    await page.locator("[data-runs] [data-outcome=not_fired]").waitFor();
  });
});
