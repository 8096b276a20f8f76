/** What a person does on the dashboard, in the person's words. */
import type { Locator, Page } from "playwright-core";

/** Does nothing more when this browser is signed in already. */
export async function signIn(page: Page, url: string, username: string, password: string): Promise<void> {
  await page.goto(new URL("/login", url).href);
  const name = page.locator("input[autocomplete=username]");
  await name.or(page.locator(".shell")).waitFor();
  if (!await name.isVisible()) return;
  await name.fill(username);
  await page.locator("input[type=password]").fill(password);
  await page.locator("[data-action=sign-in]").click();
  await page.locator(".shell").waitFor();
}

/** Until the page has the live stream. */
export const waitUntilLive = (page: Page): Promise<void> => page.locator("[data-live=live]").waitFor();

/** A node of the graph, by its application's name; `section` tells a rollback's node from the deployment's. */
export const taskNode = (page: Page, name: string, section: "deploy" | "rollback" = "deploy"): Locator =>
  page.locator(`[data-section=${section}] [data-task="${name}"]`);

export const waitForTaskState = (
  page: Page,
  name: string,
  state: string,
  section?: "deploy" | "rollback",
): Promise<void> => taskNode(page, name, section).and(page.locator(`[data-state=${state}]`)).waitFor();

export const waitForDeploymentStatus = (page: Page, status: string): Promise<void> =>
  page.locator(`.deployment[data-status=${status}]`).waitFor();

/** Presses a deployment's button and confirms. */
export async function act(page: Page, action: string, note?: string): Promise<void> {
  await page.locator(`.deployment-head [data-action=${action}]`).click();
  const dialog = page.locator("dialog[open]");
  if (note) await dialog.locator("textarea").fill(note);
  await dialog.locator("[data-action=submit]").click();
  await dialog.waitFor({ state: "detached" });
}

/** Opens a task's panel; its log follows by itself. */
export async function openTask(page: Page, name: string, section?: "deploy" | "rollback"): Promise<Locator> {
  await taskNode(page, name, section).locator(".node-main").click();
  const panel = page.locator(`[data-panel="${name}"]`);
  await panel.waitFor();
  return panel;
}

/** A row of the log that is in view. */
export const logRow = (page: Page, text: string | RegExp): Locator => page.locator(".log-row", { hasText: text });
