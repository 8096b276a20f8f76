import { createRoute } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { baseOf, isBaseRole } from "../../domain/roles.ts";
import { AppError } from "../../domain/app_error.ts";
import type { Actor } from "../../db/database.ts";
import { createToken } from "../../db/tokens/create_token.ts";
import { deleteToken } from "../../db/tokens/delete_token.ts";
import { getToken, listTokens } from "../../db/tokens/read_tokens.ts";
import type { TokenRow } from "../../db/tokens/read_tokens.ts";
import { CreatedToken, CreateToken, listOf, ListQuery, Token } from "../../protocol/http_api.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { decodeCursor, DEFAULT_LIMIT, page } from "../paginate.ts";
import { rankOf } from "../permissions.ts";
import { actorOf, createRouter, IdParams, json, jsonBody, problemResponses } from "../route.ts";
import { makeSecretText, sha256 } from "../secret_text.ts";

const shared = { tags: ["tokens"] };
const list = createRoute({
  ...shared,
  method: "get",
  path: "/tokens",
  summary: "List your API tokens; an admin sees everybody's",
  request: { query: ListQuery },
  responses: { 200: json(listOf(Token), "Newest first"), ...problemResponses },
});
const create = createRoute({
  ...shared,
  method: "post",
  path: "/tokens",
  summary: "Make an API token; its secret is in this answer and nowhere else",
  request: { body: jsonBody(CreateToken) },
  responses: { 201: json(CreatedToken, "Made"), ...problemResponses },
});
const one = createRoute({
  ...shared,
  method: "get",
  path: "/tokens/{id}",
  summary: "Read an API token, without its secret",
  request: { params: IdParams },
  responses: { 200: json(Token, "The token"), ...problemResponses },
});
const remove = createRoute({
  ...shared,
  method: "delete",
  path: "/tokens/{id}",
  summary: "Revoke an API token",
  request: { params: IdParams },
  responses: { 204: { description: "It no longer works" }, ...problemResponses },
});

export function tokenRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const { db } = deps;
  const router = createRouter();

  router.openapi(list, async (c) => {
    const actor = actorOf(c);
    const { limit = DEFAULT_LIMIT, cursor } = c.req.valid("query");
    const rows = await listTokens(db, actor.projectId, { userId: whose(actor), limit, after: decodeCursor(cursor) });
    return c.json(page(rows, limit, (row) => Token.parse(row)), 200);
  });

  router.openapi(create, async (c) => {
    const actor = actorOf(c);
    const { name, expiresInSeconds, role = actor.role } = c.req.valid("json");
    if (!actor.userId || c.get("session") === undefined) {
      // Else a leaked token that expires tonight could make itself one that does not.
      throw new AppError("forbidden", "token.from_token", "A token cannot make tokens; sign in with a password first.");
    }
    const isOwn = role === actor.role;
    if (!isOwn && (!isBaseRole(role) || rankOf(role) > rankOf(baseOf(actor)))) {
      throw new AppError("forbidden", "token.role", `You are ${actor.role} here; a token of yours cannot be ${role}.`);
    }
    const token = makeSecretText("bor_");
    const id = await createToken(
      db,
      { userId: actor.userId, name, role, hash: await sha256(token), expiresInSeconds },
      actor,
    );
    return c.json(CreatedToken.parse({ ...await read(actor, id), token }), 201);
  });

  router.openapi(one, async (c) => c.json(Token.parse(await read(actorOf(c), c.req.valid("param").id)), 200));
  router.openapi(remove, async (c) => {
    const actor = actorOf(c);
    await deleteToken(db, c.req.valid("param").id, whose(actor), actor);
    return c.body(null, 204);
  });
  return router;

  async function read(actor: Actor, id: string): Promise<TokenRow> {
    const row = await getToken(db, actor.projectId, { userId: whose(actor), id });
    if (!row) throw new AppError("not_found", "token.unknown", "There is no such token among those you may see.");
    return row;
  }
}

/** Whose tokens one may see and revoke: an admin everybody's (null), others their own. */
const whose = (actor: Actor): string | null => baseOf(actor) === "admin" ? null : actor.userId;
