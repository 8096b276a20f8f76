/** Secrets and channels as an admin sees them; whoever is none sees neither. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { component } from "../helpers/require_component.ts";
import { startFixtureServer } from "./fixture_server.ts";
import type { FixtureServer } from "./fixture_server.ts";
import { buildDashboard } from "./helpers/build_dashboard.ts";
import { enterSignedIn, launchBrowser, openContext } from "./helpers/launch_browser.ts";
import type { TestBrowser, WatchedContext } from "./helpers/launch_browser.ts";

const chromium = component("chromium");

describe.skipIf(!chromium.available)(`settings, in a browser${chromium.reason}`, () => {
  let browser: TestBrowser;
  let folder: string;
  let server: FixtureServer;
  let watched: WatchedContext;
  let page: Page;

  beforeAll(async () => {
    folder = await buildDashboard();
    browser = await launchBrowser();
    server = startFixtureServer(folder);
    server.role = "admin";
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

  it("list secrets by name and scope, and take a new value", async () => {
    await page.goto(`${server.url}/settings`);
    const row = page.locator("tr[data-secret=DB_PASSWORD]");
    await row.getByText("chen").waitFor();
    await page.locator("tr[data-secret=API_KEY]").getByText("file: api/key").waitFor();
    await shoot("settings");
    await row.locator("[data-action=rotate-secret]").click();
    await page.locator("dialog[open] textarea").fill("a new value");
    await page.locator("dialog[open] [data-action=submit]").click();
    await page.locator("dialog[open]").waitFor({ state: "detached" });
    expect(server.calls.at(-1)).toMatchObject({
      method: "PUT",
      path: "/secrets",
      body: { name: "DB_PASSWORD", value: "a new value" },
    });
  });

  it("say who is told of what, and what became of each message", async () => {
    const row = page.locator("tr[data-channel=ops]");
    await row.getByText("Deployment failed, Agent offline (production)").waitFor();
    await row.locator("[data-action=show-deliveries]").click();
    const dialog = page.locator("dialog[open]");
    await dialog.getByText("12 of them").waitFor();
    await dialog.getByText("Given up after 8 attempts, last: hooks.slack.com answers 503.").waitFor();
    await shoot("notification_deliveries");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });

  it("add a channel with what was chosen", async () => {
    await page.locator("[data-action=add-channel]").click();
    const dialog = page.locator("dialog[open]");
    await dialog.getByLabel("Name", { exact: true }).fill("room");
    await dialog.getByLabel("Address").fill("https://hooks.example.com/x");
    await dialog.getByLabel("Agent offline").check();
    await dialog.getByLabel("Environments").fill("production, staging");
    await shoot("notification_form");
    await dialog.locator("[data-action=submit]").click();
    await dialog.waitFor({ state: "detached" });
    expect(server.calls.at(-1)).toMatchObject({
      path: "/notifications",
      body: {
        name: "room",
        target: { kind: "slack", url: "https://hooks.example.com/x" },
        rules: [{ environments: ["production", "staging"], events: expect.arrayContaining(["agent.offline"]) }],
      },
    });
  });
});
