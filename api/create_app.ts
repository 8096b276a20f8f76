/** The whole API as one Hono app: dependencies in, `app.fetch` out. Every route on one screen. */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { ApiDeps, ApiEnv } from "./deps.ts";
import { createErrorResponse, notFound } from "./error_response.ts";
import { authorize } from "./middleware/authorize.ts";
import { bodyLimit } from "./middleware/body_limit.ts";
import { crossSiteGuard } from "./middleware/cross_site.ts";
import { idempotency } from "./middleware/idempotency.ts";
import { requestContext } from "./middleware/request_context.ts";
import { authRoutes } from "./routes/auth.ts";

export function createApp(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const app = new OpenAPIHono<ApiEnv>();
  app.onError(createErrorResponse(deps.logger));
  app.notFound(notFound);

  app.use("*", requestContext(deps));
  app.use("/api/*", crossSiteGuard(deps));
  app.use("*", authorize(deps));
  app.use("/api/*", bodyLimit());
  app.use("/api/*", idempotency(deps));

  for (const routes of [authRoutes]) app.route("/api/v1", routes(deps));
  app.all("/api/*", notFound); // the dashboard's fallback must not answer for a call that does not exist
  return app;
}
