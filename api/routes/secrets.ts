/** Values go in and never come out: only a deployment's agent ever gets them, sealed to its key. */
import { createRoute } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import { deleteSecret } from "../../db/secrets/delete_secret.ts";
import { getSecret, listSecrets } from "../../db/secrets/list_secrets.ts";
import { putSecret } from "../../db/secrets/put_secret.ts";
import { Id, listOf, ListQuery, PutSecret, Secret } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, problemResponses } from "../route.ts";

const shared = { tags: ["secrets"] };
const list = createRoute({
  ...shared,
  method: "get",
  path: "/secrets",
  summary: "Names and scopes of secrets, never values",
  request: { query: ListQuery.extend({ environmentId: Id.optional(), applicationId: Id.optional() }) },
  responses: { 200: json(listOf(Secret), "Newest first"), ...problemResponses },
});
const put = createRoute({
  ...shared,
  method: "put",
  path: "/secrets",
  summary: "Set a secret's value; of one name the most specific scope counts",
  request: { body: jsonBody(PutSecret) },
  responses: { 200: json(Secret, "It has a new value"), 201: json(Secret, "Made"), ...problemResponses },
});
const one = createRoute({
  ...shared,
  method: "get",
  path: "/secrets/{id}",
  summary: "Read a secret's name and scope, never its value",
  request: { params: IdParams },
  responses: { 200: json(Secret, "The secret"), ...problemResponses },
});
const remove = createRoute({
  ...shared,
  method: "delete",
  path: "/secrets/{id}",
  summary: "Delete a secret",
  request: { params: IdParams },
  responses: { 204: { description: "Deleted" }, ...problemResponses },
});

export function secretRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const { db } = deps;
  const router = createRouter();
  const read = async (projectId: string, id: string) => {
    const row = await getSecret(db, projectId, id);
    if (!row) throw new AppError("not_found", "secret.unknown", "There is no such secret.");
    return Secret.parse(row);
  };

  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor, ...filter } = c.req.valid("query");
    const after = decodeCursor(cursor);
    const rows = await listSecrets(db, actorOf(c).projectId, { ...filter, limit, after });
    return c.json(page(rows, limit, (row) => Secret.parse(row)), 200);
  });
  router.openapi(put, async (c) => {
    const { id, created } = await putSecret(deps, c.req.valid("json"), actorOf(c));
    return c.json(await read(actorOf(c).projectId, id), created ? 201 : 200);
  });
  router.openapi(one, async (c) => c.json(await read(actorOf(c).projectId, c.req.valid("param").id), 200));
  router.openapi(remove, async (c) => {
    await deleteSecret(db, c.req.valid("param").id, actorOf(c));
    return c.body(null, 204);
  });
  return router;
}
