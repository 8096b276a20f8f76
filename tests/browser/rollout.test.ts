/** A rollout over machines as a person sees it: batches, a machine that is away, a watched release, another batch size. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reason } from "../../domain/reason.ts";
import { component } from "../helpers/require_component.ts";
import { deployments, makeTasks } from "./fixture_deployments.ts";
import { openDashboard } from "./helpers/open_dashboard.ts";
import type { OpenDashboard } from "./helpers/open_dashboard.ts";
import { openTask, waitUntilLive } from "./helpers/use_dashboard.ts";

const chromium = component("chromium");
const instant = (inSeconds: number) => new Date(Date.now() + inSeconds * 1000).toISOString().replace(/\.\d+/, "");

/** `order` goes in batches of two and waits for m3; `user` is everywhere and watched. */
function setTheScene() {
  const running = deployments.running!;
  running.tasks = makeTasks(running.id, [
    {
      name: "user-service",
      state: "running",
      parts: [{ name: "m1.eu", state: "success" }, {
        name: "watch 120 s",
        state: "pending",
        type: "gate",
        after: ["m1.eu"],
      }],
    },
    {
      name: "order-service",
      state: "running",
      parts: [
        { name: "m1.eu", state: "success" },
        { name: "m2.eu", state: "success" },
        { name: "wait 30 s", state: "success", type: "pause", after: ["m1.eu", "m2.eu"] },
        { name: "m3.eu", state: "pending", after: ["wait 30 s"] },
        { name: "m4.eu", state: "running", after: ["wait 30 s"] },
        { name: "m5.eu", state: "blocked", after: ["m3.eu", "m4.eu"] },
        { name: "m6.eu", state: "blocked", after: ["m3.eu", "m4.eu"] },
        { name: "m7.eu", state: "skipped" },
      ],
    },
  ]);
  const [user, order] = running.tasks.filter((task) => task.parentId === null);
  const part = (name: string, of = order!) => running.tasks.find((one) => one.name === name && one.parentId === of.id)!;
  user!.payload = {};
  part("watch 120 s", user).reason = reason("task.watching", { application: "user-service", until: instant(900) });
  order!.payload = { batch: 2, waitSeconds: 30 };
  for (const [at, name] of ["m1.eu", "m2.eu", "m3.eu", "m4.eu", "m5.eu", "m6.eu"].entries()) {
    part(name).payload = { batch: Math.floor(at / 2) + 1 };
  }
  part("m3.eu").reason = reason("task.waiting_for_machine", {
    machine: "m3.eu",
    since: instant(-60),
    until: instant(840),
  });
  part("m7.eu").reason = reason("task.left_out_cordoned", { machine: "m7.eu", version: "v1.5.0" });
  return { running, watch: part("watch 120 s", user) };
}

describe.skipIf(!chromium.available)(`a rollout in a browser${chromium.reason}`, () => {
  let dashboard: OpenDashboard;
  let server: OpenDashboard["server"];
  let page: OpenDashboard["page"];
  const { running, watch } = setTheScene();

  beforeAll(async () => {
    dashboard = await openDashboard();
    ({ server, page } = dashboard);
    await page.goto(`${server.url}/deployments/${running.id}`);
    await waitUntilLive(page);
  });
  afterAll(async () => {
    await dashboard.close();
  });

  it("shows what is waited for and how long, and ends a wait when asked", async () => {
    await page.getByText(/Watching user-service until .*: a release that turns bad is taken back\./).first().waitFor();
    await page.locator("[data-wait=watch]", { hasText: /1\d min (\d+ s )?left/ }).waitFor();
    await page.locator("[data-wait=machine]", {
      hasText: /Waiting for m3\.eu, offline since .*; gives up at .*\. ?1\d min/,
    }).waitFor();
    expect(await page.locator("[data-wait=machine] button").count()).toBe(0);
    await page.locator("[data-wait=watch] [data-action=skip-wait]").click();
    await page.locator("dialog [data-action=submit]").click();
    await expect.poll(() => server.calls.at(-1)).toEqual({ method: "POST", path: `/tasks/${watch.id}/skip`, body: {} });
  });

  it("shows the batches and changes their size", async () => {
    await openTask(page, "order-service");
    expect(await page.locator(".task-parts tr[data-batch='2']").count()).toBe(2);
    await page.locator("tr", { hasText: "m7.eu" }).getByText("Left out: m7.eu is cordoned.").waitFor();
    const batch = page.locator("input[name=batch]");
    expect(await batch.inputValue()).toBe("2");
    await batch.fill("0");
    expect(await page.locator("[data-action=save-batch]").isDisabled()).toBe(true);
    await batch.fill("50%");
    await page.locator("[data-action=save-batch]").click();
    await expect.poll(() => server.calls.at(-1)).toEqual({
      method: "PATCH",
      path: `/deployments/${running.id}`,
      body: { strategy: { batch: "50%" } },
    });
  });

  it("says it in Chinese, too", async () => {
    await page.locator("[data-action=language]").click();
    await page.getByText(/正在观察 user-service/).first().waitFor();
    await page.getByText(/已跳过：m7\.eu 已停止调度/).first().waitFor();
    await page.getByText("批次大小").waitFor();
  });
});
