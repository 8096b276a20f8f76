/** Looks the matched route up in the one table, finds out who asks, and lets in whose role suffices. */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { matchedRoutes } from "hono/route";
import { AppError } from "../../domain/app_error.ts";
import { baseOf } from "../../domain/roles.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { isAllowed, PERMISSIONS } from "../permissions.ts";
import { authenticate } from "./authenticate.ts";

/**
 * `METHOD /path/:id` of the route that will answer, by the router itself, so that no second matcher can disagree with
 * it; undefined when there is none. Middlewares are registered for all methods and do not count.
 */
export function routeKeyOf(c: Context<ApiEnv>): string | undefined {
  const method = c.req.method === "HEAD" ? "GET" : c.req.method;
  const route = matchedRoutes(c).find((r) => r.method === method);
  return route && `${method} ${route.path}`;
}

export const authorize = (deps: ApiDeps) =>
  createMiddleware<ApiEnv>(async (c, next) => {
    const key = routeKeyOf(c);
    const permission = key === undefined ? undefined : PERMISSIONS[key];
    if (permission === undefined) {
      if (key) deps.logger.log("ERROR", "a route has no permission, so nobody may call it", { route: key });
      return c.notFound();
    }
    if (permission !== "public" && permission !== "agent") {
      const { actor, caller, session } = await authenticate(deps, c);
      c.set("actor", actor);
      c.set("caller", caller);
      c.set("session", session);
      if (!isAllowed(permission, baseOf(actor))) {
        throw new AppError(
          "forbidden",
          "auth.role",
          `${actor.name} is ${actor.role} here; this needs ${permission}. Ask an admin.`,
        );
      }
    }
    await next();
  });
