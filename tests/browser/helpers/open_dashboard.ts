/** The dashboard on a fixture's data, with somebody signed in: what most browser tests stand on. */
import { expect } from "vitest";
import type { Page } from "playwright-core";
import { startFixtureServer } from "../fixture_server.ts";
import type { FixtureServer } from "../fixture_server.ts";
import { buildDashboard } from "./build_dashboard.ts";
import { enterSignedIn, launchBrowser, openContext } from "./launch_browser.ts";

export interface OpenDashboard {
  server: FixtureServer;
  page: Page;
  /** A picture of the whole page, for whoever asked for pictures with BOREAS_SCREENSHOTS. */
  shoot(name: string): Promise<void>;
  /** @throws when something went wrong on a page meanwhile */
  close(): Promise<void>;
}

/** @param expected errors that the test provokes on purpose */
export async function openDashboard(expected?: RegExp): Promise<OpenDashboard> {
  const folder = await buildDashboard();
  const browser = await launchBrowser();
  const server = startFixtureServer(folder);
  const { context, troubles, newPage } = await openContext(browser, { expected });
  const page = await newPage();
  await enterSignedIn({ context, troubles, newPage }, server.url);
  return {
    server,
    page,
    async shoot(name) {
      const to = Deno.env.get("BOREAS_SCREENSHOTS");
      if (to) await page.screenshot({ path: `${to}/${name}.png`, fullPage: true });
    },
    async close() {
      await context.close();
      await server.stop();
      await browser.close();
      expect(troubles).toEqual([]);
    },
  };
}
