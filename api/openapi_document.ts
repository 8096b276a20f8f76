import type { OpenAPIHono } from "@hono/zod-openapi";
import type { ApiDeps, ApiEnv } from "./deps.ts";
import { PERMISSIONS } from "./permissions.ts";

/** The OpenAPI 3.1 document of everything that is mounted, each call with the role it needs. */
export function createOpenApiDocument(app: OpenAPIHono<ApiEnv>, deps: ApiDeps): Record<string, unknown> {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description: "An access token from /auth/login, or an API token (bor_...).",
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "cookie", {
    type: "apiKey",
    in: "cookie",
    name: deps.secureCookies ? "__Host-boreas" : "boreas",
    description: "The dashboard's.",
  });
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Boreas",
      version: deps.productVersion,
      description: "Errors are RFC 9457 problems. Lists take `limit` and `cursor`. Writes take `Idempotency-Key`.",
    },
    servers: [{ url: deps.publicUrl }],
    security: [{ bearer: [] }, { cookie: [] }],
  });
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(item ?? {})) {
      const permission = PERMISSIONS[`${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`];
      if (permission === undefined || typeof operation !== "object" || Array.isArray(operation)) continue;
      Object.assign(operation, { "x-boreas-role": permission });
      if (permission === "public" || permission === "agent") Object.assign(operation, { security: [] });
    }
  }
  return document as unknown as Record<string, unknown>;
}
