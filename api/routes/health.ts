/** For probes and Prometheus; at the root, without sign-in, without a secret. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { Ready } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { createRouter, json } from "../route.ts";

const Health = z.object({ status: z.literal("ok"), version: z.string() });
const shared = { tags: ["health"], security: [] };
const health = createRoute({
  ...shared,
  method: "get",
  path: "/v1/health",
  summary: "The process runs",
  responses: { 200: json(Health, "Always, while it does") },
});
const ready = createRoute({
  ...shared,
  method: "get",
  path: "/v1/ready",
  summary: "What it needs is there, and which form of each is in use",
  responses: { 200: json(Ready, "Ready"), 503: json(Ready, "Not ready; the parts say why") },
});
const metrics = createRoute({
  ...shared,
  method: "get",
  path: "/metrics",
  summary: "Prometheus metrics",
  responses: { 200: { description: "Text format 0.0.4", content: { "text/plain": { schema: z.string() } } } },
});

export function healthRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  router.openapi(health, (c) => c.json({ status: "ok" as const, version: deps.productVersion }, 200));
  router.openapi(ready, async (c) => {
    const state = Ready.parse(await deps.ready());
    return c.json(state, state.ready ? 200 : 503);
  });
  router.openapi(
    metrics,
    (c) => c.text(deps.metrics(), 200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
  return router;
}
