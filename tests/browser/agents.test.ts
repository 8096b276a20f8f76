/** The page of machines in a real Chromium: what a person sees of each, and does with it by keyboard. */
import { join } from "node:path";
import process from "node:process";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { component } from "../helpers/require_component.ts";
import { agents } from "./fixture_agents.ts";
import { startFixtureServer } from "./fixture_server.ts";
import type { FixtureServer } from "./fixture_server.ts";
import { buildDashboard } from "./helpers/build_dashboard.ts";
import { enterSignedIn, launchBrowser, openContext } from "./helpers/launch_browser.ts";
import type { TestBrowser, WatchedContext } from "./helpers/launch_browser.ts";
import { waitUntilLive } from "./helpers/use_dashboard.ts";

const chromium = component("chromium");
const pictures = process.env["BOREAS_TEST_SCREENSHOTS"];

describe.skipIf(!chromium.available)(`the machines in a browser${chromium.reason}`, () => {
  let browser: TestBrowser;
  let folder: string;
  let server: FixtureServer;
  let watched: WatchedContext;
  let page: Page;

  beforeAll(async () => {
    folder = await buildDashboard();
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });
  beforeEach(() => {
    server = startFixtureServer(folder);
  });
  afterEach(async () => {
    const { troubles } = watched;
    await watched.context.close();
    await server.stop();
    expect(troubles).toEqual([]);
  });

  const enter = async (locale = "en-GB") => {
    watched = await openContext(browser, { locale });
    page = await watched.newPage();
    await enterSignedIn(watched, server.url);
    await page.goto(`${server.url}/agents`);
    await waitUntilLive(page);
  };
  const row = (name: string) => page.locator("tbody tr", { hasText: name });
  const writes = () =>
    server.calls.filter((call) => call.method !== "GET").map((call) => `${call.method} ${call.path}`);
  const picture = async (name: string) => {
    if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) });
  };
  const [m1, , m3, fresh] = agents as [typeof agents[0], typeof agents[0], typeof agents[0], typeof agents[0]];

  it("shows who drains and who waits, and approves, stops a drain or drains, which is asked about first", async () => {
    await enter();
    await row(m3.name).getByText("draining: one task left").waitFor();
    await row(fresh.name).getByText("waits for approval").waitFor();
    await picture("agents");
    await row(fresh.name).locator("[data-action=approve]").click();
    await expect.poll(writes).toHaveLength(1);
    await row(m3.name).getByRole("button", { name: "Stop draining" }).click();
    await expect.poll(writes).toHaveLength(2);
    await row(m1.name).locator("[data-action=manage]").click();
    const dialog = page.locator("dialog", { hasText: "What the machine allows" });
    await dialog.getByText("reg.example.com").waitFor();
    await picture("agent");
    await dialog.locator("[data-action=drain]").click();
    await page.getByText("is given nothing new").waitFor();
    await page.locator("dialog [data-action=submit]").click();
    await expect.poll(writes).toEqual([
      `POST /agents/${fresh.id}/approve`,
      `POST /agents/${m3.id}/uncordon`,
      `POST /agents/${m1.id}/drain`,
    ]);
  });

  it("is used by keyboard alone: a machine is opened, its keys are renewed, and Escape leads back", async () => {
    await enter();
    await row(m1.name).locator("[data-action=manage]").focus();
    await page.keyboard.press("Enter");
    await page.locator(`[data-agent="${m1.id}"] [data-action=rotate]`).focus();
    await page.keyboard.press("Enter");
    await page.getByText("the old ones are refused from then on").waitFor();
    await page.locator("dialog [data-action=submit]").focus();
    await page.keyboard.press("Enter");
    await expect.poll(writes).toEqual([`POST /agents/${m1.id}/rotate`]);
    await page.locator(`[data-agent="${m1.id}"]`).waitFor();
    await page.keyboard.press("Escape");
    await page.locator("dialog").waitFor({ state: "detached" });
  });

  it("speaks Chinese to whoever does, and offers a viewer to look only", async () => {
    server.role = "viewer";
    await enter("zh-CN");
    await row(m3.name).getByText("清空中").waitFor();
    await row(fresh.name).getByText("等待批准").waitFor();
    await picture("agents.zh");
    await row(m1.name).locator("[data-action=manage]").click();
    await page.getByText("机器允许的内容").waitFor();
    expect(await page.locator("[data-agent] [data-action]").count()).toBe(0);
  });
});
