/** What Boreas says about itself: the API's document, a page over it, the schema of boreas.yaml, the CA to pin. */
import { Hono } from "hono";
import { configJsonSchema } from "../../protocol/config_file.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { DOCS_CSS, DOCS_HTML, DOCS_JS } from "../docs_page.ts";
import { notFound } from "../error_response.ts";

/** @param describe made on the first call, when every route is mounted */
export function schemaRoutes(deps: ApiDeps, describe: () => Record<string, unknown>): Hono<ApiEnv> {
  const router = new Hono<ApiEnv>();
  let document: Record<string, unknown> | undefined;
  let schema: unknown;
  for (const path of ["/openapi.json", "/api/v1/openapi.json"]) {
    router.get(path, (c) => c.json(document ??= describe()));
  }
  router.get("/schema/boreas.json", (c) => c.json((schema ??= configJsonSchema()) as Record<string, unknown>));
  router.get("/docs", (c) => c.html(DOCS_HTML));
  router.get("/docs/docs.js", (c) => c.body(DOCS_JS, 200, { "Content-Type": "text/javascript; charset=utf-8" }));
  router.get("/docs/docs.css", (c) => c.body(DOCS_CSS, 200, { "Content-Type": "text/css; charset=utf-8" }));
  router.get("/api/v1/ca.pem", (c) => {
    if (!deps.caCertificate) return notFound(c);
    return c.body(deps.caCertificate, 200, { "Content-Type": "application/x-pem-file" });
  });
  return router;
}
