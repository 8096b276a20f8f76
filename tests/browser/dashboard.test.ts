/** The dashboard in a real Chromium, against scripted answers: what a person sees, presses and reads. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Page } from "playwright-core";
import { reason } from "../../domain/reason.ts";
import { component } from "../helpers/require_component.ts";
import { deployments, makeTasks } from "./fixture_deployments.ts";
import { startFixtureServer } from "./fixture_server.ts";
import type { FixtureServer } from "./fixture_server.ts";
import { buildDashboard } from "./helpers/build_dashboard.ts";
import { enterSignedIn, launchBrowser, openContext } from "./helpers/launch_browser.ts";
import type { TestBrowser, WatchedContext } from "./helpers/launch_browser.ts";
import {
  act,
  logRow,
  openTask,
  signIn,
  taskNode,
  waitForDeploymentStatus,
  waitForTaskState,
  waitUntilLive,
} from "./helpers/use_dashboard.ts";

const chromium = component("chromium");
const PASSWORD = "correct horse battery";
const E = "\u001b";

describe.skipIf(!chromium.available)(`the dashboard in a browser${chromium.reason}`, () => {
  let browser: TestBrowser;
  let folder: string;
  let server: FixtureServer;
  let watched: WatchedContext;
  let page: Page;
  /** What a test provokes on purpose shows in the console too. */
  let expected: RegExp | undefined;

  beforeAll(async () => {
    folder = await buildDashboard();
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });
  beforeEach(async () => {
    expected = undefined;
    server = startFixtureServer(folder);
    watched = await openContext(browser);
    page = await watched.newPage();
  });
  afterEach(async () => {
    const { troubles } = watched;
    await watched.context.close();
    await server.stop();
    expect(troubles.filter((text) => !expected?.test(text))).toEqual([]);
  });

  /** Signed in already; the way through the form is the first test. */
  const enter = async (path: string) => {
    await enterSignedIn(watched, server.url);
    await page.goto(server.url + path);
    await waitUntilLive(page);
  };
  const running = deployments.running!;
  const task = (name: string, of = running) => of.tasks.find((one) => one.name === name)!;

  it("asks who one is, says what was wrong, and goes on to where one wanted", async () => {
    expected = /401/;
    await page.goto(`${server.url}/deployments?status=failed`);
    await page.waitForURL(/\/login\?next=/);
    await page.locator("input[autocomplete=username]").fill("maria");
    await page.locator("input[type=password]").fill("wrong");
    await page.locator("[data-action=sign-in]").click();
    await page.getByRole("alert").getByText("do not belong together").waitFor();
    await page.locator("input[type=password]").fill(PASSWORD);
    await page.locator("[data-action=sign-in]").click();
    await page.waitForURL(/\/deployments\?status=failed$/);
    await page.locator("tbody tr", { hasText: "v1.3.2" }).waitFor();
    expect(await page.locator("tbody tr").count()).toBe(1);
    await page.locator("[data-action=sign-out]").click();
    await page.waitForURL(/\/login/);
    await signIn(page, server.url, "maria", PASSWORD);
  });

  it("shows what runs where, what is under way, and that a delivery failed", async () => {
    await enter("/");
    await page.locator("[data-cell='order-service@staging']", { hasText: "v1.4.0" }).getByText("v1.5.0").waitFor();
    await page.getByText("One delivery from a repository failed").waitFor();
    await page.locator(`[data-deployment="${running.id}"]`).getByText("Started by maria.").waitFor();
    const { tasks: _, ...plain } = running;
    const told = reason("deployment.paused", { actor: "ben" });
    server.emit({
      type: "deployment",
      at: "",
      deployment: { ...plain, status: "paused", reason: told, updatedAt: new Date().toISOString() },
    });
    await page.locator(`[data-deployment="${running.id}"]`).getByText("Paused by ben").waitFor();
  });

  it("draws the graph and moves it as tasks move", async () => {
    await enter(`/deployments/${running.id}`);
    await waitForTaskState(page, "user-service", "success");
    await waitForTaskState(page, "order-service", "running");
    await waitForTaskState(page, "payment-service", "blocked");
    const left = async (name: string) => (await taskNode(page, name).boundingBox())!.x;
    expect(await left("user-service")).toBeLessThan(await left("order-service"));
    expect(await left("order-service")).toBeLessThan(await left("payment-service"));
    expect(await page.locator("[data-task=catalog-web] .part").count()).toBe(6);

    const panel = await openTask(page, "payment-service");
    await panel.locator(".blocked-by").getByText("order-service").click();
    await page.locator("[data-panel=order-service]").waitFor();

    server.change(running, {
      "order-service": { status: "success", step: "completed", completedAt: new Date().toISOString() },
      "payment-service": { status: "running", step: "running", blockedBy: [], startedAt: new Date().toISOString() },
    });
    await waitForTaskState(page, "order-service", "success");
    await waitForTaskState(page, "payment-service", "running");
    await page.reload();
    await page.locator("[data-panel=order-service]").waitFor();
  });

  it("shows a rollback that begins while one looks, beside what failed and its last lines", async () => {
    const shown = structuredClone(deployments.rolledBack!);
    const back = shown.tasks.filter((one) => one.type === "rollback");
    Object.assign(deployments.rolledBack!, {
      tasks: shown.tasks.filter((one) => one.type !== "rollback"),
      status: "running",
    });
    const mine = deployments.rolledBack!;
    await enter(`/deployments/${mine.id}`);
    await waitForTaskState(page, "order-service", "failed");
    await page.locator(".last-lines").getByText("cannot connect to orders database").waitFor();
    expect(await page.locator("[data-section=rollback]").count()).toBe(0);
    mine.tasks.push(...back);
    server.change(mine, {}, { status: "rolled_back" });
    await waitForTaskState(page, "user-service", "success", "rollback");
    await waitForDeploymentStatus(page, "rolled_back");
  });

  it("follows a log as it is written, finds text in it, and stops following when one reads back", async () => {
    const { id } = task("mail-worker");
    Object.assign(task("mail-worker"), { status: "running", step: "running", completedAt: null });
    server.log(id, Array.from({ length: 300 }, (_, i) => `line ${i} ${i % 100 === 7 ? "needle" : "hay"}\n`).join(""));
    await enter(`/deployments/${running.id}?task=${id}`);
    await logRow(page, "line 299").waitFor();
    await page.locator("[data-log=following]").waitFor();
    const whole = new TextEncoder().encode(`${E}[31mré${E}[0msumé 漢字\n`);
    server.log(id, whole.slice(0, 7));
    server.log(id, whole.slice(7));
    await logRow(page, "résumé 漢字").waitFor();
    expect(await logRow(page, "résumé").locator(".ink-1").textContent()).toBe("ré");

    await page.locator("[data-search]").fill("needle");
    await page.getByText("1 / 3").waitFor();
    await page.locator(".log-row.current", { hasText: "line 7 needle" }).waitFor();
    await page.locator("[data-search]").press("Enter");
    await page.locator(".log-row.current", { hasText: "line 107 needle" }).waitFor();
    await page.locator("[data-search]").press("Shift+Enter");
    await page.locator(".log-row.current", { hasText: "line 7 needle" }).waitFor();

    server.log(id, "while reading back\n");
    await page.getByText("302 lines").waitFor();
    expect(await logRow(page, "while reading back").count()).toBe(0);
    await page.locator("[data-action=follow]").click();
    await logRow(page, "while reading back").waitFor();
  });

  it("shows what a hostile program prints, and does none of it", async () => {
    const { id } = task("order-service");
    server.log(
      id,
      `<img src=x onerror=alert(1)><script>alert(2)</script>\n` +
        `${E}]8;;javascript:alert(3)${E}\\press me${E}]8;;${E}\\\n` +
        `user \u202egnp.exe\n50%\r100%\n${E}[38;2;255;0;0;48;5;17mexact${E}[0m\n`,
    );
    await enter(`/deployments/${running.id}?task=${id}`);
    await logRow(page, "<img src=x onerror=alert(1)><script>alert(2)</script>").waitFor();
    await logRow(page, "press me").waitFor();
    await logRow(page, "user <U+202E>gnp.exe").waitFor();
    await logRow(page, /^100%$/).waitFor();
    expect(await page.locator(".log a[href^=javascript], .log img, .log script").count()).toBe(0);
    const exact = logRow(page, "exact").locator("span span");
    expect(await exact.evaluate((e) => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]))
      .toEqual(["rgb(255, 0, 0)", "rgb(0, 0, 95)"]);
  });

  it("keeps only the rows in view in the document, also of a million lines", async () => {
    const [big] = makeTasks(running.id, [{ name: "big", state: "success" }]);
    running.tasks.push(big!);
    server.log(big!.id, "a line of a log that is long\n".repeat(1_000_000));
    await enter(`/deployments/${running.id}?task=${big!.id}`);
    await page.getByText("1000000 lines").waitFor();
    await page.locator("[data-action=follow]").click();
    await page.locator(".log-row[data-line='1000000']").waitFor();
    expect(await page.locator(".log-row").count()).toBeLessThan(80);
    await page.locator(".log-rows").evaluate((e) => e.scrollTop = e.scrollHeight / 2);
    await page.locator(".log-row[data-line='500000']").waitFor();
    expect(await page.locator(".log-row").count()).toBeLessThan(80);
    running.tasks.pop();
  });

  it("calls the API for each act, with the note", async () => {
    await enter(`/deployments/${running.id}`);
    await act(page, "rollback", "payments fail");
    await act(page, "cancel");
    expect(server.calls.filter((call) => call.path.startsWith("/deployments"))).toEqual([
      { method: "POST", path: `/deployments/${running.id}/rollback`, body: { note: "payments fail" } },
      { method: "POST", path: `/deployments/${running.id}/cancel`, body: {} },
    ]);
  });

  it("changes the order of what has not started", async () => {
    const { id } = deployments.pending!;
    await enter(`/deployments/${id}`);
    await page.getByLabel("Move payment-service up").click();
    await page.getByLabel("Add catalog-web to the order").click();
    await page.locator("[data-action=save-order]").click();
    await page.getByText("The new order is planned").waitFor();
    expect(server.calls.at(-1)).toEqual({
      method: "PATCH",
      path: `/deployments/${id}`,
      body: { mustInOrder: ["user-service", "payment-service", "order-service", "catalog-web"] },
    });
  });

  it("deploys a version after showing the plan", async () => {
    await enter("/versions");
    await page.locator("tr", { hasText: "v1.5.0" }).locator("[data-action=deploy]").click();
    await page.locator("[data-waves='3']").waitFor();
    await page.getByText("m4.eu is not connected").waitFor();
    await page.locator("dialog [data-action=submit]").click();
    await page.waitForURL(/\/deployments\/[0-9a-f-]+$/);
    await expect.poll(() => server.calls.map((call) => call.path)).toEqual([
      "/deployments",
      `/deployments/${deployments.pending!.id}/start`,
    ]);
    expect(server.calls[0]!.body).toMatchObject({
      applications: expect.arrayContaining(["user-service"]),
      manualApproval: false,
    });
  });

  it("gives one deployment a strategy, and asks why it leaves out an approval", async () => {
    expected = /script-src/; // what reads it tries out eval, is refused, and does without
    await enter("/versions");
    await page.locator("tr", { hasText: "v1.5.0" }).locator("[data-action=deploy]").click();
    const dialog = page.locator("dialog");
    const submit = dialog.locator("[data-action=submit]");
    await dialog.locator("[data-waves='3']").waitFor();
    await dialog.getByLabel("Strategy").selectOption("rolling");
    const text = dialog.getByLabel("As in boreas.yaml");
    await text.fill("type: rolling\nbatc: 2\n");
    await dialog.locator(".field-error", { hasText: "batc" }).waitFor();
    expect(await submit.isDisabled()).toBe(true);
    await text.fill("type: rolling\nbatch: 2\n");
    await dialog.getByText(/leaves out .*approval by 1 of lead/).waitFor();
    expect(await submit.isDisabled()).toBe(true);
    await dialog.getByLabel("Why may these checks be left out?").fill("Stocktaking");
    await submit.click();
    await page.waitForURL(/\/deployments\/[0-9a-f-]+$/);
    expect(server.calls[0]!.body).toMatchObject({
      strategy: { type: "rolling", batch: 2 },
      override: { reason: "Stocktaking" },
    });
  });

  it("keeps eight tabs of one browser live with a single stream", async () => {
    await enter(`/deployments/${running.id}`);
    const tabs = [page];
    for (let i = 0; i < 7; i++) tabs.push(await watched.newPage());
    await Promise.all(tabs.map((tab) => tab.goto(`${server.url}/deployments/${running.id}`)));
    await Promise.all(tabs.map(waitUntilLive));
    await expect.poll(() => server.streams()).toBe(1);
    server.change(running, { "mail-worker": { status: "failed", step: "completed" } });
    await Promise.all(tabs.map((tab) => waitForTaskState(tab, "mail-worker", "failed")));
    for (const tab of tabs.slice(0, 7)) await tab.close();
    server.change(running, { "mail-worker": { status: "success" } });
    await waitForTaskState(tabs[7]!, "mail-worker", "success");
    await expect.poll(() => server.streams()).toBe(1);
  });

  it("says that it reconnects, comes back by itself and has missed nothing", async () => {
    expected = /503|ERR_/;
    await enter(`/deployments/${running.id}`);
    await waitForTaskState(page, "payment-service", "running");
    server.drop(true);
    await page.locator("[data-live=reconnecting]").waitFor();
    server.change(running, { "payment-service": { status: "success", step: "completed" } });
    server.drop(false);
    await waitUntilLive(page);
    await waitForTaskState(page, "payment-service", "success");
  });

  it("renews the session without a word when it has run out", async () => {
    expected = /401/;
    await enter("/agents");
    server.expireSession();
    await page.getByRole("link", { name: "Environments" }).click();
    await page.getByRole("link", { name: "staging" }).waitFor();
    expect(server.calls.filter((call) => call.path === "/auth/refresh")).toHaveLength(1);
  });

  it("shows the enrolment line once, and a repository's mistakes by file and line", async () => {
    await enter("/agents");
    await page.locator("[data-action=enroll]").click();
    await page.getByLabel("staging").check();
    await page.locator("dialog [data-action=submit]").click();
    const line = await page.getByLabel("Enrolment line").textContent();
    expect(line).toContain("BOREAS_TOKEN=bet_");
    expect(line).toContain("/api/v1/install.sh");
    await page.getByRole("button", { name: "Done" }).click();
    await page.goto(`${server.url}/repositories`);
    await page.getByRole("link", { name: "acme/shop" }).first().click();
    await page.locator("[data-delivery][data-state=failed]").getByText("boreas.yaml:14").waitFor();
    await page.locator("[data-commit-status='boreas/prod']").getByText("was rolled back").waitFor();
  });

  it("shows how an upgrade of agents goes, machine by machine, and stops it", async () => {
    await enter("/agents");
    await page.getByText("Fetching 0.2.0.").waitFor();
    await page.locator("[data-action=cancel-upgrade]").click();
    await expect.poll(() => server.calls.some(({ path }) => /^\/agent-upgrades\/.+\/cancel$/.test(path))).toBe(true);
  });

  it("offers a viewer nothing to press", async () => {
    server.role = "viewer";
    await enter(`/deployments/${running.id}`);
    await taskNode(page, "user-service").waitFor();
    expect(await page.locator(".deployment-head button, .task-facts .actions button").count()).toBe(0);
    await page.goto(`${server.url}/repositories`);
    await page.getByText("acme/shop").first().waitFor();
    expect(await page.locator("[data-action=add-repository], [data-action=sync]").count()).toBe(0);
  });

  it("is used by keyboard alone", async () => {
    await enter("/");
    await page.keyboard.press("g");
    await page.keyboard.press("d");
    await page.waitForURL(/\/deployments$/);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.goto(`${server.url}/deployments/${running.id}`);
    await taskNode(page, "user-service").locator(".node-main").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.locator("[data-panel]").waitFor();
    expect(await page.locator("[data-node]:focus-within").getAttribute("data-task")).not.toBe("user-service");
  });

  it("speaks Chinese, reasons too, and remembers it", async () => {
    await enter(`/deployments/${running.id}`);
    await page.locator("[data-action=language]").click();
    await page.getByText("由 maria 启动。").waitFor();
    await page.reload();
    await page.getByText("由 maria 启动。").waitFor();
    expect(await page.locator("html").getAttribute("lang")).toBe("zh-CN");
  });

  it("opens every page and finds nothing at an address of none", async () => {
    await enter("/");
    const links = page.locator(".side nav a");
    for (let i = 0; i < await links.count(); i++) {
      await links.nth(i).click();
      await page.locator("main h1").waitFor();
      expect(await page.locator("[role=alert]").count()).toBe(0);
    }
    await page.goto(`${server.url}/nowhere`);
    await page.getByText("There is no page at this address.").waitFor();
  });
});
