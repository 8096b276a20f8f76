import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { AppError } from "../../domain/app_error.ts";
import type { Actor } from "../../db/database.ts";
import { createUser } from "../../db/users/create_user.ts";
import { deleteUser } from "../../db/users/delete_user.ts";
import { getUser, listUsers } from "../../db/users/read_users.ts";
import { updateUser } from "../../db/users/update_user.ts";
import { CreateUser, listOf, ListQuery, UpdateUser, User } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, problemResponses } from "../route.ts";

const shared = { tags: ["users"] };
const list = createRoute({
  ...shared,
  method: "get",
  path: "/users",
  summary: "List users",
  request: { query: ListQuery },
  responses: { 200: json(listOf(User), "Newest first"), ...problemResponses },
});
const create = createRoute({
  ...shared,
  method: "post",
  path: "/users",
  summary: "Add a user",
  request: { body: jsonBody(CreateUser) },
  responses: { 201: json(User, "Added"), ...problemResponses },
});
const one = createRoute({
  ...shared,
  method: "get",
  path: "/users/{id}",
  summary: "Read a user",
  request: { params: IdParams },
  responses: { 200: json(User, "The user"), ...problemResponses },
});
const update = createRoute({
  ...shared,
  method: "patch",
  path: "/users/{id}",
  summary: "Change a user's role or password; a new password ends the user's sessions",
  request: { params: IdParams, body: jsonBody(UpdateUser) },
  responses: { 200: json(User, "As it is now"), ...problemResponses },
});
const remove = createRoute({
  ...shared,
  method: "delete",
  path: "/users/{id}",
  summary: "Remove a user with its sessions and tokens",
  request: { params: IdParams },
  responses: { 204: { description: "Removed" }, ...problemResponses },
});

export function userRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const { db } = deps;
  const router = createRouter();
  const read = async (actor: Actor, id: string): Promise<z.infer<typeof User>> => {
    const row = await getUser(db, actor.projectId, id);
    if (!row) throw new AppError("not_found", "user.unknown", "There is no such user.");
    return User.parse(row);
  };

  router.openapi(list, async (c) => {
    const { limit = DEFAULT_LIMIT, cursor } = c.req.valid("query");
    const rows = await listUsers(db, actorOf(c).projectId, { limit, after: decodeCursor(cursor) });
    return c.json(page(rows, limit, (row) => User.parse(row)), 200);
  });
  router.openapi(create, async (c) => {
    const id = await createUser(db, c.req.valid("json"), actorOf(c));
    return c.json(await read(actorOf(c), id), 201);
  });
  router.openapi(one, async (c) => c.json(await read(actorOf(c), c.req.valid("param").id), 200));
  router.openapi(update, async (c) => {
    const { id } = c.req.valid("param");
    await updateUser(db, id, c.req.valid("json"), actorOf(c));
    return c.json(await read(actorOf(c), id), 200);
  });
  router.openapi(remove, async (c) => {
    await deleteUser(db, c.req.valid("param").id, actorOf(c));
    return c.body(null, 204);
  });
  return router;
}
