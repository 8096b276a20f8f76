import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import type { Actor } from "../../db/database.ts";
import { createEnvironment } from "../../db/environments/create_environment.ts";
import { deleteEnvironment } from "../../db/environments/delete_environment.ts";
import { listAppStates } from "../../db/environments/read_app_states.ts";
import { getEnvironment, listEnvironments } from "../../db/environments/read_environments.ts";
import { updateEnvironment } from "../../db/environments/update_environment.ts";
import {
  AppStateItem,
  CreateEnvironment,
  Environment,
  ENVIRONMENT_TYPES,
  listOf,
  ListQuery,
  UpdateEnvironment,
} from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, problemResponses } from "../route.ts";

const shared = { tags: ["environments"] };
const list = createRoute({
  ...shared,
  method: "get",
  path: "/environments",
  summary: "List environments",
  request: {
    query: ListQuery.extend({
      name: z.string().max(63).optional(),
      type: z.enum(ENVIRONMENT_TYPES).optional(),
      status: z.enum(["active", "inactive"]).optional(),
    }),
  },
  responses: { 200: json(listOf(Environment), "Newest first"), ...problemResponses },
});
const create = createRoute({
  ...shared,
  method: "post",
  path: "/environments",
  summary: "Add an environment",
  request: { body: jsonBody(CreateEnvironment) },
  responses: { 201: json(Environment, "Added"), ...problemResponses },
});
const one = createRoute({
  ...shared,
  method: "get",
  path: "/environments/{id}",
  summary: "Read an environment",
  request: { params: IdParams },
  responses: { 200: json(Environment, "The environment"), ...problemResponses },
});
const update = createRoute({
  ...shared,
  method: "patch",
  path: "/environments/{id}",
  summary: "Change an environment; config and policy replace what was there",
  request: { params: IdParams, body: jsonBody(UpdateEnvironment) },
  responses: { 200: json(Environment, "As it is now"), ...problemResponses },
});
const remove = createRoute({
  ...shared,
  method: "delete",
  path: "/environments/{id}",
  summary: "Delete an environment that nothing was deployed to",
  request: { params: IdParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses },
});
const status = createRoute({
  ...shared,
  method: "get",
  path: "/environments/{id}/status",
  summary: "What runs here: application by target, with version, health and sync",
  request: { params: IdParams },
  responses: { 200: json(listOf(AppStateItem), "By application, then target"), ...problemResponses },
});

export function environmentRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const { db } = deps;
  const router = createRouter();
  const read = async (actor: Actor, id: string): Promise<Environment> => {
    const row = await getEnvironment(db, actor.projectId, id);
    if (!row) throw new AppError("not_found", "environment.unknown", "There is no such environment.");
    return Environment.parse(row);
  };

  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor, ...filter } = c.req.valid("query");
    const after = decodeCursor(cursor);
    const rows = await listEnvironments(db, actorOf(c).projectId, { ...filter, limit, after });
    return c.json(page(rows, limit, (row) => Environment.parse(row)), 200);
  });
  router.openapi(create, async (c) => {
    const id = await createEnvironment(deps, c.req.valid("json"), actorOf(c));
    return c.json(await read(actorOf(c), id), 201);
  });
  router.openapi(one, async (c) => c.json(await read(actorOf(c), c.req.valid("param").id), 200));
  router.openapi(update, async (c) => {
    const { id } = c.req.valid("param");
    await updateEnvironment(deps, id, c.req.valid("json"), actorOf(c));
    return c.json(await read(actorOf(c), id), 200);
  });
  router.openapi(remove, async (c) => {
    await deleteEnvironment(deps, c.req.valid("param").id, actorOf(c));
    return c.body(null, 204);
  });
  router.openapi(status, async (c) => {
    const actor = actorOf(c);
    const { id } = await read(actor, c.req.valid("param").id);
    const rows = await listAppStates(db, actor.projectId, { environmentId: id });
    return c.json({ items: rows.map((row) => AppStateItem.parse(row)), nextCursor: null }, 200);
  });
  return router;
}
