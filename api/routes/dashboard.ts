/** The built dashboard: its files, and its one page for every address that is a page of it. */
import { Hono } from "hono";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { notFound } from "../error_response.ts";

/** First parts of addresses that the page itself understands. */
const PAGES = new Set([
  "agents",
  "applications",
  "audit",
  "deployments",
  "environments",
  "login",
  "repositories",
  "secrets",
  "settings",
  "tasks",
  "triggers",
  "users",
  "versions",
]);
/** A file's name carries the hash of its content under /assets/, so it never changes. */
const FOREVER = "public, max-age=31536000, immutable";
const SAFE_PATH = /^(\/[A-Za-z0-9_@][A-Za-z0-9._@-]*)+$/;

const NOT_BUILT = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Boreas</title></head><body>
<h1>Boreas runs, its dashboard is not built</h1>
<p>Start it with <code>deno task start</code>, which builds the dashboard first.
The API is here all the same: see <a href="/docs">/docs</a>.</p></body></html>`;

export function dashboardRoutes(deps: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>().get("/*", async (c) => {
    const { path } = c.req;
    const file = SAFE_PATH.test(path) ? await deps.webFile(path) : undefined;
    if (file) {
      return c.body(file.bytes, 200, {
        "Content-Type": file.contentType,
        "Cache-Control": path.startsWith("/assets/") ? FOREVER : "no-cache",
      });
    }
    if (path !== "/" && !PAGES.has(path.split("/")[1]!)) return notFound(c);
    const page = await deps.webFile("/index.html");
    if (!page) return c.html(NOT_BUILT, 503);
    return c.body(page.bytes, 200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache" });
  });
}
