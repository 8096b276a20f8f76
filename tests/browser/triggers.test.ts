/** Triggers as a person sees them: what comes next, what they said and why, and what firing one would do. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { component } from "../helpers/require_component.ts";
import { versions } from "./fixture_data.ts";
import { repositories } from "./fixture_repositories.ts";
import { triggers } from "./fixture_triggers.ts";
import { openDashboard } from "./helpers/open_dashboard.ts";
import type { OpenDashboard } from "./helpers/open_dashboard.ts";

const chromium = component("chromium");

describe.skipIf(!chromium.available)(`triggers, in a browser${chromium.reason}`, () => {
  let dashboard: OpenDashboard;
  let server: OpenDashboard["server"];
  let page: OpenDashboard["page"];

  beforeAll(async () => {
    dashboard = await openDashboard(/status of 400/);
    ({ server, page } = dashboard);
  });
  afterAll(async () => {
    await dashboard.close();
  });

  it("are listed with the next tick, the last event and why", async () => {
    await page.goto(`${server.url}/triggers`);
    const row = page.locator(`tr[data-id='${triggers[0]!.id}']`);
    await row.getByText("Nothing to do: production runs v1.4.2 already.").waitFor();
    await row.getByText("in 2 d").waitFor();
    await page.locator(`tr[data-id='${triggers[2]!.id}']`).getByText("Off", { exact: true }).waitFor();
    await dashboard.shoot("triggers");
  });

  it("show every event, and in a dry run what would happen", async () => {
    await page.goto(`${server.url}/triggers/${triggers[0]!.id}`);
    await page.locator("[data-outcome=waiting]", { hasText: "has to stay well on staging" }).waitFor();
    await page.locator("[data-action=fire]").click();
    await page.locator("dialog [data-action=dry-run]").click();
    await page.locator("dialog [role=status]", { hasText: "Nothing to do" }).waitFor();
    await dashboard.shoot("trigger_fire");
    expect(server.calls.at(-1)).toMatchObject({ path: expect.stringMatching(/fire$/), body: { dryRun: true } });
  });

  it("are made in a form that shows the next times, and what is refused at its field", async () => {
    await page.goto(`${server.url}/triggers`);
    await page.locator("[data-action=add-trigger]").click();
    const dialog = page.locator("dialog[open]");
    const field = (label: string) =>
      dialog.locator("label", { hasText: new RegExp(`^${label}`) }).locator("input, select");
    await field("Name").fill("weekly");
    await field("Fires on").selectOption("cron");
    await field("When").fill("0 3 * * 9");
    await dialog.locator("[data-ticks=none]", { hasText: "It never comes" }).waitFor();
    await field("When").fill("0 3 * * 1");
    await field("Time zone").fill("Asia/Shanghai");
    await dialog.locator("[data-ticks='3']").waitFor();
    await dashboard.shoot("trigger_form");
    await dialog.locator("[data-action=submit]").click();
    await dialog.locator(".field-error", { hasText: "the clock does not say" }).waitFor();
    await field("Repository").selectOption({ index: 1 });
    await dialog.locator("[data-action=submit]").click();
    await dialog.waitFor({ state: "detached" });
    expect(server.calls.at(-1)).toMatchObject({
      method: "POST",
      path: "/triggers",
      body: { name: "weekly", on: "cron", at: "0 3 * * 1", tz: "Asia/Shanghai", repositoryId: repositories[0]!.id },
    });
  });

  it("are named by the delivery and the version that they looked at", async () => {
    await page.goto(`${server.url}/repositories/${repositories[0]!.id}`);
    await page.locator("[data-action=why]").first().click();
    await page.locator("[data-runs] [data-outcome=fired] a", { hasText: "nightly" }).waitFor();
    await dashboard.shoot("delivery_triggers");
    await page.goto(`${server.url}/versions/${versions[0]!.id}`);
    await page.locator("[data-runs] [data-outcome=not_fired]").waitFor();
  });
});
