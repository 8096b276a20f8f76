import { createRoute } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { readOverview } from "../../db/overview/read_overview.ts";
import { Overview } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { actorOf, createRouter, json, problemResponses } from "../route.ts";
import { shareReads } from "../share_reads.ts";

const get = createRoute({
  method: "get",
  path: "/overview",
  tags: ["overview"],
  summary: "How much there is, what runs where, what is under way",
  responses: { 200: json(Overview, "The first page"), ...problemResponses },
});

export function overviewRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  const read = shareReads(async (projectId: string) => Overview.parse(await readOverview(deps.db, projectId)));
  router.openapi(get, async (c) => c.json(await read(actorOf(c).projectId), 200));
  return router;
}
