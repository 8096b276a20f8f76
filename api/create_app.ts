/** The whole API as one Hono app: dependencies in, `app.fetch` out. Every route on one screen. */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { ApiDeps, ApiEnv } from "./deps.ts";
import { createErrorResponse, notFound } from "./error_response.ts";
import { authorize } from "./middleware/authorize.ts";
import { bodyLimit } from "./middleware/body_limit.ts";
import { crossSiteGuard } from "./middleware/cross_site.ts";
import { idempotency } from "./middleware/idempotency.ts";
import { requestContext } from "./middleware/request_context.ts";
import { createOpenApiDocument } from "./openapi_document.ts";
import { agentRoutes } from "./routes/agents.ts";
import { applicationRoutes } from "./routes/applications.ts";
import { runningRoutes } from "./routes/running.ts";
import { approvalPage } from "./routes/approval_page.ts";
import { approvalRoutes } from "./routes/approvals.ts";
import { auditRoutes } from "./routes/audit.ts";
import { authRoutes } from "./routes/auth.ts";
import { blobRoutes } from "./routes/blobs.ts";
import { dashboardRoutes } from "./routes/dashboard.ts";
import { deploymentRoutes } from "./routes/deployments.ts";
import { enrollmentRoutes } from "./routes/enrollment.ts";
import { environmentRoutes } from "./routes/environments.ts";
import { freezeRoutes } from "./routes/freezes.ts";
import { healthRoutes } from "./routes/health.ts";
import { historyRoutes } from "./routes/history.ts";
import { installRoutes } from "./routes/install.ts";
import { liveRoutes } from "./routes/live.ts";
import { logRoutes } from "./routes/logs.ts";
import { notificationRoutes } from "./routes/notifications.ts";
import { overviewRoutes } from "./routes/overview.ts";
import { repositoryRoutes } from "./routes/repositories.ts";
import { roleRoutes } from "./routes/roles.ts";
import { schemaRoutes } from "./routes/schema.ts";
import { secretRoutes } from "./routes/secrets.ts";
import { taskRoutes } from "./routes/tasks.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { triggerRoutes } from "./routes/triggers.ts";
import { upgradeRoutes } from "./routes/upgrades.ts";
import { userRoutes } from "./routes/users.ts";
import { versionRoutes } from "./routes/versions.ts";
import { webhookRoutes } from "./routes/webhooks.ts";

/** Below /api/v1, in the order in which the document lists them. */
const API_ROUTES = [
  authRoutes,
  userRoutes,
  tokenRoutes,
  roleRoutes,
  repositoryRoutes,
  applicationRoutes,
  runningRoutes,
  environmentRoutes,
  secretRoutes,
  versionRoutes,
  historyRoutes,
  triggerRoutes,
  deploymentRoutes,
  freezeRoutes,
  taskRoutes,
  approvalRoutes,
  logRoutes,
  liveRoutes,
  agentRoutes,
  upgradeRoutes,
  enrollmentRoutes,
  installRoutes,
  blobRoutes,
  notificationRoutes,
  overviewRoutes,
  auditRoutes,
];

export function createApp(deps: ApiDeps): OpenAPIHono<ApiEnv> {
  const app = new OpenAPIHono<ApiEnv>();
  app.onError(createErrorResponse(deps.logger));
  app.notFound(notFound);

  // Outermost first. A body is read only for somebody who may send one; a webhook's limit is its own.
  app.use("*", requestContext(deps));
  app.use("/api/*", crossSiteGuard(deps));
  app.use("*", authorize(deps));
  app.use("/api/*", bodyLimit(deps));
  app.use("/api/*", idempotency(deps));

  for (const routes of API_ROUTES) app.route("/api/v1", routes(deps));
  app.route("/", webhookRoutes(deps));
  app.route("/", healthRoutes(deps));
  app.route("/", schemaRoutes(deps, () => createOpenApiDocument(app, deps)));
  app.route("/", approvalPage(deps));
  app.all("/api/*", notFound); // the dashboard's fallback must not answer for a call that does not exist
  app.route("/", dashboardRoutes(deps));
  return app;
}
