/** Freezes by hand: made until an instant, with a reason, and ended by a person. Windows of policies and Plans are listed too. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { createFreeze } from "../../db/freezes/create_freeze.ts";
import { endFreeze } from "../../db/freezes/end_freeze.ts";
import { listFreezes } from "../../db/freezes/list_freezes.ts";
import { CreateFreeze, EndFreeze, Freeze, Freezes, Id } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, problemResponses } from "../route.ts";

const tags = ["freezes"];
const list = createRoute({
  method: "get",
  path: "/freezes",
  tags,
  summary: "What is frozen now and next: by hand, by policies and by Plans; of one by hand only while it lasts",
  request: { query: z.object({ environmentId: Id.optional() }) },
  responses: { 200: json(Freezes, "By hand first"), ...problemResponses },
});
const create = createRoute({
  method: "post",
  path: "/freezes",
  tags,
  summary: "Start nothing more in an environment until an instant; what runs goes on, and rollbacks are never frozen",
  request: { body: jsonBody(CreateFreeze) },
  responses: { 201: json(Freeze, "Frozen"), ...problemResponses },
});
const end = createRoute({
  method: "post",
  path: "/freezes/{id}/end",
  tags,
  summary: "End a freeze now; what waited for its end starts",
  request: { params: IdParams, body: jsonBody(EndFreeze) },
  responses: { 204: { description: "Ended" }, ...problemResponses },
});

export function freezeRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();
  router.openapi(list, async (c) => {
    const items = await listFreezes(deps.db, actorOf(c).projectId, c.req.valid("query").environmentId);
    return c.json(Freezes.parse({ items }), 200);
  });
  router.openapi(create, async (c) => {
    const actor = actorOf(c);
    const wish = c.req.valid("json");
    const id = await createFreeze(deps, wish, actor);
    const items = await listFreezes(deps.db, actor.projectId, wish.environmentId);
    return c.json(Freeze.parse(items.find((one) => one.id === id)), 201);
  });
  router.openapi(end, async (c) => {
    await endFreeze(deps, c.req.valid("param").id, c.req.valid("json").reason, actorOf(c));
    return c.body(null, 204);
  });
  return router;
}
