/** Secrets and channels as an admin sees them; whoever is none sees neither. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { component } from "../helpers/require_component.ts";
import { openDashboard } from "./helpers/open_dashboard.ts";
import type { OpenDashboard } from "./helpers/open_dashboard.ts";

const chromium = component("chromium");

describe.skipIf(!chromium.available)(`settings, in a browser${chromium.reason}`, () => {
  let dashboard: OpenDashboard;
  let server: OpenDashboard["server"];
  let page: OpenDashboard["page"];

  beforeAll(async () => {
    dashboard = await openDashboard();
    ({ server, page } = dashboard);
    server.role = "admin";
  });
  afterAll(async () => {
    await dashboard.close();
  });

  it("list secrets by name and scope, and take a new value", async () => {
    await page.goto(`${server.url}/settings`);
    const row = page.locator("tr[data-secret=DB_PASSWORD]");
    await row.getByText("chen").waitFor();
    await page.locator("tr[data-secret=API_KEY]").getByText("file: api/key").waitFor();
    await dashboard.shoot("settings");
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
    await dashboard.shoot("notification_deliveries");
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
    await dashboard.shoot("notification_form");
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
