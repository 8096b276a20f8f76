/** Roles: the three that are always there, and those that a team adds for its rules to name. */
import { createRoute, z } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { deleteRole, putRole } from "../../db/roles/put_role.ts";
import { readRoles } from "../../db/roles/read_roles.ts";
import { Name } from "../../protocol/config/values.ts";
import { NamedRole, PutRole } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { actorOf, createRouter, json, jsonBody, problemResponses } from "../route.ts";

const shared = { tags: ["users"] };
const NameParams = z.object({ name: Name });
const list = createRoute({
  ...shared,
  method: "get",
  path: "/roles",
  summary: "Roles, what each may call, and who has them",
  responses: { 200: json(z.object({ items: z.array(NamedRole) }), "All roles"), ...problemResponses },
});
const put = createRoute({
  ...shared,
  method: "put",
  path: "/roles/{name}",
  summary: "Add a role that rules can name; it may call what its base may",
  request: { params: NameParams, body: jsonBody(PutRole) },
  responses: { 200: json(NamedRole, "As it is now"), ...problemResponses },
});
const remove = createRoute({
  ...shared,
  method: "delete",
  path: "/roles/{name}",
  summary: "Remove a role that nobody has",
  request: { params: NameParams },
  responses: { 204: { description: "Removed" }, ...problemResponses },
});

export function roleRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const { db } = deps;
  const router = createRouter();
  router.openapi(list, async (c) => c.json({ items: await readRoles(db, actorOf(c).projectId) }, 200));
  router.openapi(put, async (c) => {
    const { name } = c.req.valid("param");
    await putRole(db, name, c.req.valid("json").base, actorOf(c));
    const roles = await readRoles(db, actorOf(c).projectId);
    return c.json(NamedRole.parse(roles.find((role) => role.name === name)), 200);
  });
  router.openapi(remove, async (c) => {
    await deleteRole(db, c.req.valid("param").name, actorOf(c));
    return c.body(null, 204);
  });
  return router;
}
