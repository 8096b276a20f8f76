/** Signing in and out. The answer carries the tokens for programs and sets them as cookies for the dashboard. */
import { createRoute } from "@hono/zod-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { baseOf } from "../../domain/roles.ts";
import { AppError } from "../../domain/app_error.ts";
import { DEFAULT_PROJECT } from "../../db/database.ts";
import { endSession } from "../../db/sessions/end_session.ts";
import { refreshSession } from "../../db/sessions/refresh_session.ts";
import { startSession } from "../../db/sessions/start_session.ts";
import { isPassword } from "../../db/users/hash_password.ts";
import { findUserByName, getUser } from "../../db/users/read_users.ts";
import type { UserRow } from "../../db/users/read_users.ts";
import { Login, Refresh, Session, User } from "../../protocol/http_api.ts";
import { ACCESS_SECONDS, signAccessToken, verifyAccessToken } from "../access_token.ts";
import { accessCookie, clearSessionCookies, REFRESH_SECONDS, refreshCookie, setSessionCookies } from "../cookies.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { limit } from "../middleware/rate_limit.ts";
import { actorOf, createRouter, json, jsonBody, optionalJsonBody, problemResponses } from "../route.ts";
import { makeSecretText, sha256 } from "../secret_text.ts";

/** Per minute: from one address, and for one name, whoever tries it from wherever. */
const LOGINS_PER_ADDRESS = 20;
const LOGINS_PER_NAME = 10;
const REFRESHES_PER_ADDRESS = 120;

const login = createRoute({
  method: "post",
  path: "/auth/login",
  tags: ["auth"],
  summary: "Sign in",
  request: { body: jsonBody(Login) },
  responses: { 200: json(Session, "Signed in; also set as cookies"), ...problemResponses },
});
const refresh = createRoute({
  method: "post",
  path: "/auth/refresh",
  tags: ["auth"],
  summary: "Trade the refresh token (body or cookie) for a new pair",
  request: { body: optionalJsonBody(Refresh) },
  responses: { 200: json(Session, "The new pair; the old refresh token is spent"), ...problemResponses },
});
const logout = createRoute({
  method: "post",
  path: "/auth/logout",
  tags: ["auth"],
  summary: "End the session",
  request: { body: optionalJsonBody(Refresh) },
  responses: { 204: { description: "Ended, or there was none" }, ...problemResponses },
});
const me = createRoute({
  method: "get",
  path: "/auth/me",
  tags: ["auth"],
  summary: "Who am I",
  responses: { 200: json(User, "The user behind the token"), ...problemResponses },
});

export function authRoutes(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const router = createRouter();

  router.openapi(login, async (c) => {
    const { username, password } = c.req.valid("json");
    const peer = c.get("peer");
    await limit(deps.limiter, `login:address:${peer}`, LOGINS_PER_ADDRESS, 60);
    await limit(deps.limiter, `login:name:${username.toLowerCase()}`, LOGINS_PER_NAME, 60);
    const user = await findUserByName(deps.db, DEFAULT_PROJECT, username);
    const refreshToken = makeSecretText("bre_");
    const right = await isPassword(password, user?.passwordHash);
    const family = right && user
      ? await startSession(
        deps.db,
        {
          userId: user.id,
          passwordHash: user.passwordHash,
          refreshHash: await sha256(refreshToken),
          lifetimeSeconds: REFRESH_SECONDS,
        },
        { userId: user.id, name: user.username, role: user.role, ip: peer, projectId: DEFAULT_PROJECT },
      )
      : undefined;
    if (!user || !family) {
      deps.logger.log("WARN", "sign-in refused", { username, peer });
      throw new AppError("unauthenticated", "auth.login", "This username and password do not belong together.");
    }
    return c.json(await giveTokens(c, deps, user, family, refreshToken), 200);
  });

  router.openapi(refresh, async (c) => {
    await limit(deps.limiter, `refresh:${c.get("peer")}`, REFRESHES_PER_ADDRESS, 60);
    const spent = c.req.valid("json").refreshToken ?? refreshCookie(c, deps);
    if (!spent) throw new AppError("unauthenticated", "auth.refresh", "There is no refresh token; sign in.");
    const refreshToken = makeSecretText("bre_");
    const result = await refreshSession(deps.db, await sha256(spent), await sha256(refreshToken), REFRESH_SECONDS);
    if (result.outcome === "just_used") {
      throw new AppError(
        "conflict",
        "auth.refresh_just_used",
        "This refresh token was used a moment ago; go on with the newer tokens.",
      );
    }
    const user = result.outcome === "refreshed" ? await getUser(deps.db, DEFAULT_PROJECT, result.userId) : undefined;
    if (result.outcome !== "refreshed" || !user) {
      if (result.outcome === "reused") {
        deps.logger.log("WARN", "a refresh token was used twice", { peer: c.get("peer") });
      }
      throw new AppError("unauthenticated", "auth.refresh", "The session has ended; sign in again.");
    }
    return c.json(await giveTokens(c, deps, user, result.family, refreshToken), 200);
  });

  router.openapi(logout, async (c) => {
    const token = c.req.valid("json").refreshToken ?? refreshCookie(c, deps);
    const access = c.req.header("authorization")?.replace(/^Bearer +/i, "") ?? accessCookie(c, deps);
    if (token) await endSession(deps.db, { refreshHash: await sha256(token) });
    const claims = access && !access.startsWith("bor_")
      ? await verifyAccessToken(deps.keys.jwt, deps.clock, access)
      : undefined;
    if (typeof claims === "object") await endSession(deps.db, { family: claims.session });
    clearSessionCookies(c, deps);
    return c.body(null, 204);
  });

  router.openapi(me, async (c) => {
    const actor = actorOf(c);
    const user = actor.userId ? await getUser(deps.db, actor.projectId, actor.userId) : undefined;
    if (!user) throw new AppError("unauthenticated", "auth.ended", "This user is gone.");
    // The role of the call: a token may be worth less than its owner.
    return c.json(User.parse({ ...user, role: actor.role, base: baseOf(actor) }), 200);
  });

  return router;
}

async function giveTokens(
  c: Context<ApiEnv>,
  deps: ApiDeps,
  user: UserRow,
  session: string,
  refreshToken: string,
): Promise<Session> {
  const accessToken = await signAccessToken(deps.keys.jwt, deps.clock, { userId: user.id, session });
  setSessionCookies(c, deps, { accessToken, refreshToken });
  return Session.parse({ accessToken, refreshToken, expiresIn: ACCESS_SECONDS, user });
}
