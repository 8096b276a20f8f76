/**
 * A person's walk through the real product in a real browser: a version is approved, runs in order with its log live,
 * and a bad one goes back by itself. `BOREAS_TEST_SCREENSHOTS=docs/screenshots` keeps what it saw for the documentation.
 */
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildWeb } from "../../scripts/build_web.ts";
import { component } from "../helpers/require_component.ts";
import { ADMIN_PASSWORD, startMaster } from "../helpers/start_product.ts";
import type { Master } from "../helpers/start_product.ts";
import { temporaryFolder } from "../helpers/temporary_folder.ts";
import { launchBrowser, openContext } from "./helpers/launch_browser.ts";
import type { TestBrowser } from "./helpers/launch_browser.ts";
import {
  act,
  openTask,
  signIn,
  taskNode,
  waitForDeploymentStatus,
  waitForTaskState,
  waitUntilLive,
} from "./helpers/use_dashboard.ts";

const chromium = component("chromium");
const GREEN = "\u001b[32m", BOLD = "\u001b[1m", OFF = "\u001b[0m";
const SERVICES = ["user-service", "order-service", "payment-service"];

describe.skipIf(!chromium.available)(`the dashboard of a running product${chromium.reason}`, () => {
  let master: Master;
  let browser: TestBrowser;
  let folder: string;
  const environments: Record<string, string> = {};

  const picture = async (page: Page, name: string) => void await page.screenshot({ path: join(folder, `${name}.png`) });

  const deploy = async (version: string, more: Record<string, unknown> = {}): Promise<string> => {
    const { id } = await master.api("POST", "/versions", {
      version,
      description: `Release ${version}`,
      appBuilds: Object.fromEntries(SERVICES.map((s) => [s, {}])),
    });
    return (await master.api("POST", "/deployments", {
      versionId: id,
      environmentId: environments.staging,
      mustInOrder: SERVICES,
      ...more,
    })).id;
  };
  /** What the mock operator plays for a service from the next version on. */
  const script = ({ failing, pull = "500ms" }: { failing?: string; pull?: string } = {}) =>
    Promise.all(SERVICES.map(async (name) => {
      const apps = (await master.api("GET", "/applications")).items as { id: string; name: string }[];
      await master.api("PATCH", `/applications/${apps.find((a) => a.name === name)!.id}`, {
        config: {
          mock: {
            steps: [
              {
                name: "pull",
                log: [`${BOLD}pulling ${name}${OFF}`, "layer 1 of 3 done", "layer 2 of 3 done", "layer 3 of 3 done"],
                duration: pull,
              },
              { name: "start", log: [`${GREEN}started${OFF} on slot b, port 21004`], duration: "500ms" },
              { name: "health", log: Array(3).fill(`GET /healthz ${failing === name ? 500 : 200}`), duration: "400ms" },
            ],
            ...(failing === name
              ? { failAtStep: 3, message: "GET /healthz answered 500, expected 2xx, 3 times in a row." }
              : {}),
          },
        },
      });
    }));

  beforeAll(async () => {
    const wanted = Deno.env.get("BOREAS_TEST_SCREENSHOTS");
    folder = wanted ? resolve(wanted) : await temporaryFolder("pictures");
    await Deno.mkdir(folder, { recursive: true });
    await buildWeb(() => {});
    [master, browser] = await Promise.all([startMaster({ BOREAS_LEASE_SECONDS: "30" }), launchBrowser()]);
    for (const [name, region] of [["staging", "eu-west"], ["production", "eu-west"]]) {
      environments[name!] = (await master.api("POST", "/environments", { name, type: "mock", region })).id;
    }
    for (const name of SERVICES) await master.api("POST", "/applications", { name, description: `The ${name}` });
    await script();
  });
  afterAll(() => browser?.close());

  it("shows a deployment from its approval to its end, every line as it is written", async () => {
    const { troubles, newPage } = await openContext(browser);
    const page = await newPage();
    await signIn(page, master.url, "admin", ADMIN_PASSWORD);
    const id = await deploy("v1.4.0", { manualApproval: true });
    await page.goto(`${master.url}/deployments/${id}`);
    await waitForDeploymentStatus(page, "awaiting_approval");
    await waitUntilLive(page);
    await act(page, "approve", "Looks good.");
    const panel = await openTask(page, "order-service");
    await panel.getByText("layer 3 of 3 done").first().waitFor();
    await waitForDeploymentStatus(page, "completed");
    for (const name of SERVICES) await waitForTaskState(page, name, "success");
    // Colour came through as colour, not as escape codes.
    expect(await panel.innerText()).not.toContain("[32m");
    expect(troubles).toEqual([]);
  });

  it("shows a bad version going back by itself, names the cause, and marks the version", async () => {
    await script({ failing: "payment-service" });
    const { troubles, newPage } = await openContext(browser);
    const page = await newPage();
    await signIn(page, master.url, "admin", ADMIN_PASSWORD);
    const id = await deploy("v1.5.0");
    await page.goto(`${master.url}/deployments/${id}`);
    await waitForDeploymentStatus(page, "pending");
    await waitUntilLive(page);
    await act(page, "start");
    // A slow page may be told of its start and of its end at once.
    await taskNode(page, "user-service").and(page.locator("[data-state=running], [data-state=success]")).waitFor();
    await openTask(page, "user-service");
    await picture(page, "deployment-running-light");
    await waitForDeploymentStatus(page, "rolled_back");
    await waitForTaskState(page, "payment-service", "failed");
    for (const name of SERVICES) await waitForTaskState(page, name, "success", "rollback");
    const panel = await openTask(page, "payment-service");
    await panel.getByText("answered 500, expected 2xx").first().waitFor();
    await picture(page, "deployment-light");
    const versions = (await master.api("GET", "/versions")).items as { version: string; status: string }[];
    expect(versions.find((v) => v.version === "v1.5.0")!.status).toBe("revert");
    expect(troubles).toEqual([]);
  });

  it("cancels a running deployment, and shows the dark theme as carefully as the light one", async () => {
    await script({ pull: "10m" }); // it is cancelled amid the first
    const { troubles, newPage } = await openContext(browser, { theme: "dark" });
    const page = await newPage();
    await signIn(page, master.url, "admin", ADMIN_PASSWORD);
    const id = await deploy("v1.6.0");
    await page.goto(`${master.url}/deployments/${id}`);
    await waitForDeploymentStatus(page, "pending");
    await act(page, "start");
    await waitForTaskState(page, "user-service", "running");
    await act(page, "cancel", "Wrong ticket.");
    await waitForDeploymentStatus(page, "cancelled");
    expect(await taskNode(page, "payment-service").getAttribute("data-state")).toBe("cancelled");
    await picture(page, "deployment-dark");
    await page.goto(`${master.url}/`);
    await page.getByText("user-service").first().waitFor();
    await waitUntilLive(page);
    await picture(page, "overview-dark");
    expect(troubles).toEqual([]);
  });

  it("keeps eight tabs of one browser live over one stream", async () => {
    await script();
    const { troubles, newPage } = await openContext(browser);
    const first = await newPage();
    await signIn(first, master.url, "admin", ADMIN_PASSWORD);
    const id = await deploy("v1.7.0");
    const tabs = [first, ...await Promise.all(Array.from({ length: 7 }, newPage))];
    await Promise.all(tabs.map((tab) => tab.goto(`${master.url}/deployments/${id}`)));
    await Promise.all(tabs.map(async (tab) => {
      await waitForDeploymentStatus(tab, "pending");
      await waitUntilLive(tab);
    }));
    await act(first, "start");
    await Promise.all(tabs.map((tab) => waitForDeploymentStatus(tab, "completed")));
    await first.goto(`${master.url}/`);
    await first.getByText("v1.7.0").first().waitFor();
    await waitUntilLive(first);
    await picture(first, "overview-light");
    expect(troubles).toEqual([]);
  });
});
