/** A Chromium of the machine's own, with a fresh profile, watched for what must never happen on a page. */
import { chromium } from "playwright-core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { findChromium } from "../../helpers/require_component.ts";

const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface TestBrowser {
  browser: Browser;
  close(): Promise<void>;
}

export async function launchBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({ executablePath: findChromium(), args: QUIET, headless: true });
  return { browser, close: () => browser.close() };
}

export interface WatchOptions {
  /** Errors that this test provokes on purpose, e.g. a 401 that the browser notes in its console. */
  expected?: RegExp;
  theme?: "light" | "dark";
  width?: number;
  height?: number;
  /** Of the browser: decides the page's first language. */
  locale?: string;
}

/** What went wrong on any page of a context: console errors, exceptions, refused content, dialogs. Should stay empty. */
export interface WatchedContext {
  context: BrowserContext;
  troubles: string[];
  newPage(): Promise<Page>;
}

export async function openContext({ browser }: TestBrowser, options: WatchOptions = {}): Promise<WatchedContext> {
  const { expected, theme = "light", width = 1440, height = 900, locale = "en-GB" } = options;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, locale });
  context.setDefaultTimeout(60_000);
  const troubles: string[] = [];
  const note = (text: string) => {
    if (!expected?.test(text)) troubles.push(text);
  };
  context.on("console", (message) => {
    if (message.type() === "error" || /content security policy/i.test(message.text())) note(message.text());
  });
  context.on("weberror", (error) => note(String(error.error())));
  context.on("dialog", (dialog) => {
    note(`a dialog opened: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { context, troubles, newPage: () => context.newPage() };
}

/** A browser that is signed in to a fixture's pages from the first of them on. */
export async function enterSignedIn({ context }: WatchedContext, url: string): Promise<void> {
  await context.addCookies([{ name: "boreas", value: "1", url, httpOnly: true }]);
  await context.addInitScript(() => {
    if (location.protocol === "http:") localStorage.setItem("boreas.signed-in", "yes");
  });
}
