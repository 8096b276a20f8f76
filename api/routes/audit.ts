import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { listAudit } from "../../db/audit/read_audit.ts";
import { Audit, listOf, ListQuery } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, json, problemResponses } from "../route.ts";

const list = createRoute({
  method: "get",
  path: "/audit",
  tags: ["audit"],
  summary: "What people and tokens did",
  request: {
    query: ListQuery.extend({
      actor: z.string().max(200).optional(),
      action: z.string().max(200).optional().openapi({
        description: "deployment.start, or deployment. for all of a kind",
      }),
      target: z.string().max(200).optional().openapi({ description: "deployment:ID" }),
    }),
  },
  responses: { 200: json(listOf(Audit), "Newest first"), ...problemResponses },
});

export function auditRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  return createRouter().openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor, ...filter } = c.req.valid("query");
    const rows = await listAudit(deps.db, actorOf(c).projectId, { ...filter, limit, after: decodeCursor(cursor) });
    return c.json(page(rows, limit, (row) => Audit.parse(row)), 200);
  });
}
